package gearstorm.jvmhost;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The process: does what its standard input says, opens channels, a thread each, and ends with it. */
public final class Host {
    private static final long END_MILLIS = 1500; // for tasks that have to close

    private static final List<Thread> THREADS = new CopyOnWriteArrayList<>();

    private static final Locals LOCALS = new Locals();

    /**
     * The threads of one life of a task, with those that its component starts unless it says otherwise. What one of them does not catch ends
     * that life, which would stand still else; in Storm it ends the worker.
     */
    private static final class Group extends ThreadGroup {
        volatile Channel channel; // null: it has not begun, or is over

        Group(String name) {
            super(name);
        }

        @Override
        public void uncaughtException(Thread t, Throwable e) {
            Channel c = channel;
            if (c != null) {
                c.died(t, e);
            }
            super.uncaughtException(t, e); // prints it
        }
    }

    private Host() {}

    /** The tasks that run in this process. */
    public static Locals locals() {
        return LOCALS;
    }

    private static int[] tasks(String list) {
        return list.isEmpty() ? new int[0] : Arrays.stream(list.split(",")).mapToInt(Integer::parseInt).toArray();
    }

    /** Runs until the end of standard input. Orders are read on this thread, and never wait for code of the program. */
    public static void run(Program program) throws Exception {
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setIn(InputStream.nullInputStream()); // else user code that reads takes orders away
        String first = orders.readLine();
        int space = first.lastIndexOf(' ');
        String path = first.substring(0, space);
        byte[] token = HexFormat.of().parseHex(first.substring(space + 1));
        Control control = Control.open(path, token);
        Runtime.getRuntime().addShutdownHook(new Thread(Flusher.INSTANCE::flushAll, "flush")); // user code may call System.exit
        ExecutorService soon = Executors.newSingleThreadExecutor(Host::programThread);
        CountDownLatch begun = new CountDownLatch(1);
        for (String line; (line = orders.readLine()) != null; ) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "tell" -> soon.execute(() -> told(program, words[1], words.length > 2 ? words[2] : ""));
                case "begin" -> soon.execute(() -> begin(program, begun));
                case "local" -> {
                    List<Inbox> left = LOCALS.set(tasks(words.length > 1 ? words[1] : ""));
                    soon.execute(() -> left.forEach(Inbox::close));
                }
                case "open" -> channel(path, token, Long.parseLong(words[1]), program, begun);
                case "ping" -> control.answer();
                default -> throw new IllegalStateException("unknown order " + words[0]);
            }
        }
        end(program);
    }

    private static Thread programThread(Runnable r) {
        Thread t = new Thread(r, "orders");
        t.setDaemon(true);
        return t;
    }

    private static void told(Program program, String name, String base64) {
        try {
            program.told(name, Base64.getDecoder().decode(base64));
        } catch (Throwable e) { // the process goes on with what it knew
            System.err.println("what was told as " + name + " is not in force:");
            e.printStackTrace();
        }
    }

    private static void begin(Program program, CountDownLatch begun) {
        try {
            program.begin();
            begun.countDown();
            Watch.begin();
        } catch (Throwable e) {
            die(e);
        }
    }

    private static void channel(String path, byte[] token, long id, Program program, CountDownLatch begun) {
        Group group = new Group("channel-" + id);
        Thread t = new Thread(group, () -> channelThread(path, token, id, program, begun, group), "channel-" + id);
        t.setDaemon(true);
        THREADS.add(t);
        t.start();
    }

    private static void end(Program program) throws InterruptedException {
        Thread last = new Thread(() -> {
            try {
                for (Thread t : THREADS) {
                    t.join();
                }
                program.end();
            } catch (Throwable e) {
                e.printStackTrace();
            }
        }, "end");
        last.setDaemon(true);
        last.start();
        last.join(END_MILLIS);
        System.err.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void channelThread(String path, byte[] token, long id, Program program, CountDownLatch begun, Group group) {
        try {
            Channel channel = Channel.open(path, token, id, LOCALS);
            try {
                begun.await();
                group.channel = channel;
                task(channel, id, program);
            } finally {
                group.channel = null;
                channel.close();
            }
        } catch (Throwable e) {
            die(e);
        } finally {
            THREADS.remove(Thread.currentThread());
        }
    }

    private static void task(Channel channel, long id, Program program) {
        Work work = null;
        try {
            work = program.work();
            channel.run(work);
        } catch (IOException e) { // mostly the connection has ended; whether that is a loss, the Go side knows
            System.err.println("channel " + id + " ended: " + e);
            channel.gone(text(e));
        } catch (OutOfMemoryError e) { // the next one may not be able to say so
            die(e);
        } catch (Throwable e) {
            channel.gone(text(e));
        } finally {
            if (work != null) {
                try {
                    work.close();
                } catch (Throwable e) {
                    e.printStackTrace();
                }
            }
        }
    }

    /** Reads a value in the encoding of tuples. */
    public static Object decode(byte[] b) {
        In f = new In();
        f.set(b, 0, b.length);
        return f.value(0, Objects.NONE);
    }

    /** The stack of an exception as text. */
    public static String text(Throwable e) {
        StringWriter s = new StringWriter();
        e.printStackTrace(new PrintWriter(s, true));
        return s.toString().strip();
    }

    static void die(Throwable e) {
        e.printStackTrace();
        System.err.flush();
        Runtime.getRuntime().halt(1);
    }
}
