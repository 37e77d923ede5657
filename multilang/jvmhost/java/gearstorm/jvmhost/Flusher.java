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
        for (;;) {
            asleep = true;
            if (flush()) {
                asleep = false;
                LockSupport.parkNanos(1_000_000);
            } else if (asleep) { // a channel that began to gather since has set it to false
                LockSupport.park(this);
            }
        }
    }

    /** Writes what has gathered now: the process is about to end. */
    void flushAll() {
        flush();
    }

    private boolean flush() {
        boolean gathered = false;
        for (Channel c : channels) {
            gathered |= c.flushLate();
        }
        return gathered;
    }
}
