package gearstorm.jvmhost;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/**
 * Looks after threads that stand still. Threads that wait for each other for ever end the process, since nothing else can help.
 * A task that is in one call for longer than its time is told as its error, with its stack, once a call: it may come back.
 */
public final class Watch {
    private static final long LOOK_MILLIS = 5_000;

    private static final Set<String> WAITS = Set.of("awaitCredit", "awaitRoom");
    private static final List<Watch> TASKS = new CopyOnWriteArrayList<>();
    private static final VarHandle MOVES;

    static {
        try {
            MOVES = MethodHandles.lookup().findVarHandle(Watch.class, "moves", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Channel channel;
    private final Thread thread;
    private final long limitNanos;

    private long moves; // odd inside a call; written by the task's thread

    // Of the watching thread.
    private long seen;
    private long since;
    private boolean told;

    private Watch(Channel channel, long limitNanos) {
        this.channel = channel;
        this.limitNanos = limitNanos;
        this.thread = Thread.currentThread();
    }

    /** Watches the calling thread, which runs the task of a channel, until its end. No call should take longer than the limit. */
    public static Watch task(Channel channel, long limitNanos) {
        Watch w = new Watch(channel, limitNanos);
        TASKS.add(w);
        return w;
    }

    /** Is called before each call of the component's code. */
    public void enter() {
        MOVES.setOpaque(this, moves + 1);
    }

    /** Is called behind it. */
    public void leave() {
        MOVES.setOpaque(this, moves + 1);
    }

    public void end() {
        TASKS.remove(this);
    }

    static void begin() {
        Thread t = new Thread(Watch::watch, "watch");
        t.setDaemon(true);
        t.start();
    }

    private static void watch() {
        long[] before = null;
        try {
            for (;;) {
                Thread.sleep(LOOK_MILLIS);
                TASKS.forEach(Watch::look);
                ThreadMXBean threads = ManagementFactory.getThreadMXBean();
                long[] now = threads.findDeadlockedThreads();
                if (now != null && Arrays.equals(now, before)) { // else one of them may wait for a time only
                    deadlocked(threads.getThreadInfo(now, true, true));
                }
                before = now;
            }
        } catch (InterruptedException e) { // nobody does
            Thread.currentThread().interrupt();
        }
    }

    private void look() {
        long now = System.nanoTime();
        long at = (long) MOVES.getOpaque(this);
        if (at != seen || at % 2 == 0) {
            seen = at;
            since = now;
            told = false;
        } else if (!told && now - since > limitNanos) {
            StackTraceElement[] stack = thread.getStackTrace();
            if (Arrays.stream(stack).anyMatch(f -> WAITS.contains(f.getMethodName()) && f.getClassName().startsWith("gearstorm."))) {
                return; // what it emits has no room
            }
            told = true;
            channel.error("task " + channel.task() + " is in one call for more than " + limitNanos / 1_000_000_000L
                + " s; it goes on when that returns. Its thread is at\n"
                + Arrays.stream(stack).map(f -> "\tat " + f).collect(Collectors.joining("\n")));
        }
    }

    private static void deadlocked(ThreadInfo[] threads) {
        for (ThreadInfo t : threads) {
            System.err.print(t);
        }
        System.err.println("deadlock: the threads " + Arrays.stream(threads).map(ThreadInfo::getThreadName).collect(Collectors.joining(", "))
            + " wait for each other for ever; the process ends");
        System.err.flush();
        Flusher.INSTANCE.flushAll();
        Runtime.getRuntime().halt(1);
    }
}
