package gearstorm.jvmhost;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The process: opens channels as its standard input says, a thread each, and ends with it. */
public final class Host {
    private static final long END_MILLIS = 1500; // for tasks that have to close

    private static final List<Thread> THREADS = new CopyOnWriteArrayList<>();

    private Host() {}

    /** Runs until the end of standard input. */
    public static void run(Program program) throws Exception {
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String first = orders.readLine();
        int space = first.lastIndexOf(' ');
        String path = first.substring(0, space);
        byte[] token = HexFormat.of().parseHex(first.substring(space + 1));
        try {
            program.begin(Path.of(path).toAbsolutePath().getParent());
        } catch (Throwable e) {
            die(e);
        }
        for (String line; (line = orders.readLine()) != null; ) {
            long id = Long.parseLong(line.substring("open ".length()));
            Thread t = new Thread(() -> channel(path, token, id, program), "channel-" + id);
            t.setDaemon(true);
            THREADS.add(t);
            t.start();
        }
        end(program);
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

    private static void channel(String path, byte[] token, long id, Program program) {
        try {
            Channel channel = Channel.open(path, token, id);
            try {
                task(channel, id, program);
            } finally {
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

    private static void die(Throwable e) {
        e.printStackTrace();
        System.err.flush();
        Runtime.getRuntime().halt(1);
    }
}
