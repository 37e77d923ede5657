package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Tree;
import java.util.concurrent.atomic.AtomicReference;

/** The book of a spout's trees: those that have not ended, from the oldest on, and those that have and nobody heard of. */
final class Roots {
    private final Channel channel;

    // Guarded by the pen of the channel's edges.
    private Root oldest;
    private Root newest;
    private int size;

    private final AtomicReference<Root> ended = new AtomicReference<>(); // the newest first
    private volatile int age; // counts message timeouts
    private volatile boolean older; // one is over

    Roots(Channel channel) {
        this.channel = channel;
    }

    /** Begins a tree. Called with the pen. */
    Root begin(Object id, int stream) {
        Root r = new Root(this, id, stream, age);
        r.older = newest;
        if (newest == null) {
            oldest = r;
        } else {
            newest.newer = r;
        }
        newest = r;
        size++;
        return r;
    }

    private void remove(Root r) {
        if (r.older == null) {
            oldest = r.newer;
        } else {
            r.older.newer = r.newer;
        }
        if (r.newer == null) {
            newest = r.older;
        } else {
            r.newer.older = r.older;
        }
        r.older = r.newer = null;
        size--;
    }

    /** How many were begun and not taken. */
    int size() {
        return size;
    }

    int age() {
        return age;
    }

    /** Takes note that a tree has ended. Any thread may call it; the spout hears of it soon. */
    void ended(Root r) {
        Root was;
        do {
            was = ended.get();
            r.next = was;
        } while (!ended.compareAndSet(was, r));
        if (was == null) {
            channel.wakeSoon();
        }
    }

    boolean anyEnded() {
        return ended.get() != null;
    }

    /** Whether take may have something to do. */
    boolean waiting() {
        return older || ended.get() != null;
    }

    /** Takes out what has ended, the oldest first by next; null if that is nothing. Those whose time is over fail before. */
    Root take() {
        if (older) {
            older = false;
            expire();
        }
        Root last = ended.get() == null ? null : ended.getAndSet(null);
        if (last == null) {
            return null;
        }
        Root first = null;
        channel.edges.pen.lock();
        try {
            while (last != null) {
                Root next = last.next;
                last.next = first;
                first = last;
                remove(last);
                last = next;
            }
        } finally {
            channel.edges.pen.unlock();
        }
        return first;
    }

    /** A message timeout is over. Called once in each, by another thread. */
    void rotate() {
        older = true;
        channel.signal();
    }

    /** Fails what was emitted, or reset, before the last timeout but one was over. */
    private void expire() {
        int now = age + 1;
        age = now;
        channel.edges.pen.lock();
        try {
            for (Root r = oldest; r != null; r = r.newer) {
                if (now - r.age >= 2) {
                    Tree.fail(r);
                }
            }
        } finally {
            channel.edges.pen.unlock();
        }
    }
}
