package gearstorm.jvmhost;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;

/**
 * Writes what channels have gathered and did not write for about a millisecond: because a bolt takes its time, or another
 * thread than the channel's has emitted. It sleeps while nothing is gathered.
 */
final class Flusher extends Thread {
    static final Flusher INSTANCE = new Flusher();

    private static final long NANOS = 1_000_000;
    private static final int QUIET = 20; // times it finds nothing to do before it sleeps

    private final List<Channel> channels = new CopyOnWriteArrayList<>();
    private volatile boolean asleep;

    private Flusher() {
        super("flusher");
        setDaemon(true);
        start();
    }

    void add(Channel c) {
        channels.add(c);
    }

    void remove(Channel c) {
        channels.remove(c);
    }

    /** Says that a channel has begun to gather. */
    void wake() {
        if (asleep) {
            asleep = false;
            LockSupport.unpark(this);
        }
    }

    @Override
    public void run() {
        for (int quiet = 0;;) {
            asleep = quiet >= QUIET;
            quiet = flush() ? 0 : quiet + 1;
            if (quiet > QUIET) { // who has begun to gather since has woken it
                LockSupport.park(this);
                quiet = 0;
            }
            asleep = false;
            LockSupport.parkNanos(NANOS);
        }
    }

    /** Writes what has gathered now: the process is about to end. */
    void flushAll() {
        flush();
    }

    private boolean flush() {
        boolean gathered = false;
        for (Channel c : channels) {
            c.tellLate();
            c.nudge();
            gathered |= c.edges.flushLate();
            gathered |= c.flushLate();
        }
        return gathered;
    }
}
