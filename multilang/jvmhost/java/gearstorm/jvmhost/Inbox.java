package gearstorm.jvmhost;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * What waits for a task of this process that came from others of it. It is there as long as the task is local, also before
 * the task has begun and while it is started anew.
 *
 * <p>It takes what comes; who has added to a full one waits for room, after having let go of its locks. Who is in a cycle with the
 * task does not, or both could wait for each other.
 */
public final class Inbox {
    private static final long LOOK_AGAIN_NANOS = 10_000_000;

    private final Locals locals;
    private final ConcurrentLinkedQueue<Parcel> parcels = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger(); // tuples, with those of present
    private final ConcurrentLinkedQueue<Thread> senders = new ConcurrentLinkedQueue<>(); // that wait for room
    private volatile Channel channel; // whose thread executes; null while there is none
    private volatile boolean closed;
    private Parcel present; // of the channel's thread

    /** Takes leave of a tuple that nobody will execute. */
    public interface Ending {
        void lost(Object row);
    }

    Inbox(Locals locals) {
        this.locals = locals;
    }

    /** Gives it to a channel; false if it is closed. */
    synchronized boolean open(Channel c) {
        if (!closed) {
            channel = c;
        }
        return !closed;
    }

    synchronized void leave(Channel c) {
        if (channel == c) {
            channel = null;
        }
    }

    /** Adds a parcel, which is no longer the caller's. */
    void add(Parcel p) {
        waiting.getAndAdd(p.n);
        parcels.add(p);
        Channel c = channel;
        if (c != null) {
            c.signal();
        }
        if (closed) {
            drop();
        }
    }

    public boolean isFull() {
        return waiting.get() >= locals.bound();
    }

    /** Waits until half of it is free, or the sender's channel has ended. */
    public void awaitRoom(Channel sender) {
        while (waiting.get() > locals.bound() / 2 && !closed && !sender.isOver()) {
            Thread me = Thread.currentThread();
            senders.add(me);
            if (waiting.get() > locals.bound() / 2 && !closed) {
                boolean interrupted = Thread.interrupted(); // else it would not sleep
                LockSupport.parkNanos(this, LOOK_AGAIN_NANOS);
                if (interrupted) {
                    me.interrupt();
                }
            }
            senders.remove(me);
        }
    }

    boolean isEmpty() {
        return waiting.get() == 0;
    }

    /** The parcel to be executed now, null if there is none. It comes again until done was called. */
    Parcel next() {
        if (present == null) {
            present = parcels.poll();
        }
        return present;
    }

    /** The parcel that next has returned is executed. */
    void done() {
        int n = present.n;
        present = null;
        int left = waiting.addAndGet(-n);
        if (left <= locals.bound() / 2 && !senders.isEmpty()) {
            wakeSenders();
        }
    }

    private void wakeSenders() {
        for (Thread t; (t = senders.poll()) != null; ) {
            LockSupport.unpark(t);
        }
    }

    /** The task is not local any more. Where no channel executes what waits, it is lost. */
    synchronized void close() {
        if (channel != null) {
            return; // that does it, and comes here at its end
        }
        closed = true;
        if (present != null) { // the channel before this has not finished it
            parcels.add(present);
            present = null;
        }
        drop();
        wakeSenders();
    }

    private void drop() {
        for (Parcel p; (p = parcels.poll()) != null; ) {
            waiting.addAndGet(-p.n);
            for (int i = p.at; i < p.n; i++) {
                locals.ending().lost(p.rows[i]);
            }
        }
    }
}
