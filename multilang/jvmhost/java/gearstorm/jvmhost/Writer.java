package gearstorm.jvmhost;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Gathers what a task emits and settles, and writes it: when it is asked to, when it is much, or after a millisecond (see
 * Flusher). Any thread may call it. While there is no credit for emits, who emits waits.
 */
final class Writer {
    private static final int MAX_FRAME = 4 << 20;
    private static final int FULL = 48 << 10; // what is gathered is written from here on
    private static final int PIECE = 256 << 10; // of a state, in a frame
    private static final int MAX_TUPLE = MAX_FRAME - 2 * FULL;
    private static final int ERROR = 10, GONE = 11, LEFT = 15;

    final Exports exports = new Exports(); // added to with the lock, so that it numbers as Go does

    private final SocketChannel socket;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition(); // credit came, or the end
    private volatile boolean over; // the connection has ended

    // All below is guarded by lock.
    private long credit; // bytes of emit frames
    private final Outbox box = new Outbox();
    private final ByteBuffer raw = ByteBuffer.allocateDirect(256 << 10); // empty but in flush
    private volatile boolean gathered; // something is in box

    Writer(SocketChannel socket) {
        this.socket = socket;
    }

    /** Lets that many bytes more of emits be written. */
    void grant(long more) {
        lock.lock();
        try {
            credit += more;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The connection has ended: nothing is written any more, and nobody waits. */
    void end() {
        lock.lock();
        try {
            over = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    boolean isOver() {
        return over;
    }

    /** Closes the connection and fails the trees of what was exported. */
    void close() {
        List<Object> lost;
        lock.lock();
        try {
            over = true;
            changed.signalAll();
            socket.close();
        } catch (IOException e) { // it is closed all the same
        } finally {
            lost = exports.takeAll();
            lock.unlock();
        }
        lost.forEach(Tree::fail);
    }

    /** See Channel.emit. It returns the number of a tuple that is tracked. */
    long emit(int output, int[] tasks, List<Object> values, Ref[] anchors, boolean tracked, Objects objects) throws IOException {
        lock.lock();
        try {
            makeRoom();
            if (over) {
                return 0;
            }
            long number = box.emit(output, tasks, values, anchors, tracked, false, objects, MAX_TUPLE);
            gathered();
            return number;
        } finally {
            lock.unlock();
        }
    }

    /** See Channel.export. */
    void export(int output, int[] tasks, List<Object> values, Ref[] anchors, Object trees, Objects objects) throws IOException {
        lock.lock();
        try {
            makeRoom();
            if (!over) {
                box.emit(output, tasks, values, anchors, false, true, objects, MAX_TUPLE);
                exports.add(trees);
                gathered();
                return;
            }
        } finally {
            lock.unlock();
        }
        Tree.fail(trees);
    }

    private void makeRoom() throws IOException {
        if (box.rows.n > FULL) {
            flush(true);
        }
    }

    void settle(int what, Ref t) {
        lock.lock();
        try {
            box.settle(what, t);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Says that all up to a handle is executed. */
    void consumed(long handle) {
        lock.lock();
        try {
            box.consumed(handle);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Says that so many frames of calls are worked off, and whether the last one emitted something. */
    void consumed(long frames, boolean emitted) {
        lock.lock();
        try {
            box.consumed(frames, emitted);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    void error(String text) {
        lock.lock();
        try {
            box.note(ERROR, text);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    void counts(Counts c) {
        lock.lock();
        try {
            box.counts(c);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    void left() {
        bare(LEFT);
    }

    /** Says that the component is prepared, and whether it keeps something. */
    void ready(boolean keeps) {
        lock.lock();
        try {
            box.ready(keeps);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Writes the state at a checkpoint, or why there is none, behind all that was gathered; it may wait for credit. */
    void frozen(long epoch, byte[] state, String why) throws IOException {
        lock.lock();
        try {
            for (int at = 0; at < state.length; at += PIECE) {
                box.state(state, at, Math.min(PIECE, state.length - at));
                flush(true);
            }
            box.frozen(epoch, why);
            flush(true);
        } finally {
            lock.unlock();
        }
    }

    private void bare(int kind) {
        lock.lock();
        try {
            box.bare(kind);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Says why the task cannot go on, in place of all that was gathered. */
    void gone(String why) {
        lock.lock();
        try {
            box.dropRows();
            box.dropSettles();
            box.note(GONE, why);
            flush(false);
        } catch (IOException e) { // nobody listens any more
            over = true;
        } finally {
            lock.unlock();
        }
    }

    private void gathered() {
        if (!gathered) {
            gathered = true;
            Flusher.INSTANCE.wake();
        }
    }

    /** Writes what was gathered; it may wait for credit. */
    void flush() throws IOException {
        lock.lock();
        try {
            flush(true);
        } finally {
            lock.unlock();
        }
    }

    /** Writes what was gathered if that is much; it may wait for credit. Called by the channel's thread. */
    void flushMuch() throws IOException {
        if (box.size() > FULL) { // without the lock: it is only about how much to gather
            flush();
        }
    }

    /** Writes what was gathered, unless there is no credit: that will come, and this is tried again. */
    void flushNow() throws IOException {
        lock.lock();
        try {
            flush(false);
        } finally {
            lock.unlock();
        }
    }

    /** Is called by the flusher; says whether it has to look again. */
    boolean flushLate() {
        if (!gathered) {
            return false;
        }
        if (!lock.tryLock()) {
            return true;
        }
        try {
            return gathered && !over && !flush(false);
        } catch (IOException e) { // the thread that reads finds out too
            over = true;
            return false;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Writes what was gathered: the rows, when there is credit, then what was settled and executed since. If wait is false
     * and there is no credit, it writes nothing and returns false. Called with the lock, which it gives away to wait.
     */
    private boolean flush(boolean wait) throws IOException {
        while (box.hasRows() && credit <= 0) {
            if (!wait) {
                return false;
            }
            if (over) {
                box.dropRows(); // nobody listens any more
                break;
            }
            changed.awaitUninterruptibly();
        }
        if (box.hasRows()) {
            Out rows = box.rowFrames();
            credit -= rows.n;
            put(rows);
            box.dropRows();
        }
        put(box.settleFrames());
        box.dropSettles();
        put(box.noteFrames());
        box.dropNotes();
        write();
        gathered = false;
        return true;
    }

    /** Adds to what write writes; it writes itself when that is much. */
    private void put(Out o) throws IOException {
        for (int at = 0; at < o.n; ) {
            if (!raw.hasRemaining()) {
                write();
            }
            int n = Math.min(o.n - at, raw.remaining());
            raw.put(o.a, at, n);
            at += n;
        }
    }

    private void write() throws IOException {
        boolean interrupted = Thread.interrupted(); // an interrupt would close the socket
        raw.flip();
        try {
            if (!over) {
                Dial.writeAll(socket, raw);
            }
        } finally {
            raw.clear();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
