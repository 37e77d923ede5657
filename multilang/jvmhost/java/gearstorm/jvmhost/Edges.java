package gearstorm.jvmhost;

import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The tuples of one task that are on their way to others of the process: a parcel for each, which is handed over when it is
 * full, and with flush. Who adds holds the lock; any thread may.
 */
public final class Edges {
    /** Held by who adds. It may be held while groupings are asked, so that all else is in order too. */
    public final ReentrantLock pen = new ReentrantLock();

    private final Locals locals;
    private Edge[] byTask = {};
    private Edge[] dirty = new Edge[4]; // with an open parcel
    private int nDirty;
    private volatile boolean gathered;

    private static final class Edge {
        Inbox to;
        Parcel open;
    }

    Edges(Locals locals) {
        this.locals = locals;
    }

    /** The inbox of a task, null if it is not local. */
    public Inbox find(int task) {
        return locals.find(task);
    }

    /** Adds a tuple to what goes to a task, whose inbox is in. */
    public void add(int task, Inbox in, Object row) {
        Edge e = task < byTask.length ? byTask[task] : null;
        if (e == null || e.to != in) {
            e = edge(task, e, in);
        }
        Parcel p = e.open;
        if (p == null) {
            p = e.open = new Parcel();
            opened(e);
        }
        p.rows[p.n++] = row;
        if (p.n == Parcel.ROWS) {
            e.open = null;
            in.add(p);
        }
    }

    private Edge edge(int task, Edge was, Inbox in) {
        if (was != null && was.open != null) {
            was.to.add(was.open);
            was.open = null;
        }
        if (task >= byTask.length) {
            byTask = Arrays.copyOf(byTask, Math.max(2 * byTask.length, task + 1));
        }
        if (was == null) {
            was = byTask[task] = new Edge();
        }
        was.to = in;
        return was;
    }

    private void opened(Edge e) {
        for (int i = 0; i < nDirty; i++) {
            if (dirty[i] == e) { // it was full since
                return;
            }
        }
        if (nDirty == dirty.length) {
            dirty = Arrays.copyOf(dirty, 2 * nDirty);
        }
        dirty[nDirty++] = e;
        if (!gathered) {
            gathered = true;
            Flusher.INSTANCE.wake();
        }
    }

    /** Hands over what there is. */
    public void flush() {
        if (!gathered) {
            return;
        }
        pen.lock();
        try {
            flushLocked();
        } finally {
            pen.unlock();
        }
    }

    private void flushLocked() {
        for (int i = 0; i < nDirty; i++) {
            Edge e = dirty[i];
            dirty[i] = null;
            if (e.open != null) {
                Parcel p = e.open;
                e.open = null;
                e.to.add(p);
            }
        }
        nDirty = 0;
        gathered = false;
    }

    /** Is called by the flusher; says whether it has to look again. */
    boolean flushLate() {
        if (!gathered) {
            return false;
        }
        if (!pen.tryLock()) {
            return true;
        }
        try {
            flushLocked();
        } finally {
            pen.unlock();
        }
        return false;
    }
}
