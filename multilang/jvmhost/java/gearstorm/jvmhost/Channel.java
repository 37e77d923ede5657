package gearstorm.jvmhost;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The connection of one task. Its thread executes what comes; any thread may emit and settle. What is emitted and settled
 * gathers here and is written when no input is left, when it is much, or after a millisecond (see Flusher).
 *
 * <p>While there is no credit for emits, who emits waits. Whoever waits, for input or for credit, reads; if another thread
 * does, it waits for that one. So a thread that waits for credit with a lock of the bolt's in its hands does not depend on
 * the channel's thread, which may want that lock.
 */
public final class Channel {
    private static final int VERSION = 2;
    private static final int MAX_FRAME = 4 << 20;
    private static final int FULL = 48 << 10; // what is gathered is written from here on
    private static final int MAX_TUPLE = MAX_FRAME - 2 * FULL;
    private static final int START = 1, BATCH = 2, GRANT = 3;
    private static final int NEXT = 7, ENDED = 8, STATUS = 9, ERROR = 10, GONE = 11;
    private static final int ACK = 1, FAIL = 2, RESET = 3;
    private static final Ref[] NO_ANCHORS = {};

    /** A stream that the task may emit on. Without tasks the Go side chooses the receivers. */
    public static final class Output {
        public final String stream;
        public final int[] tasks;

        Output(String stream, int[] tasks) {
            this.stream = stream;
            this.tasks = tasks;
        }
    }

    private final SocketChannel socket;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition(); // something was read

    // Of the thread that reads.
    private final ByteBuffer rawIn = ByteBuffer.allocateDirect(256 << 10);

    // All below is guarded by lock, but for what start sets.
    private boolean reading; // a thread does
    private boolean over; // the connection has ended
    private byte[] in = new byte[256 << 10]; // what was read and is no whole frame yet
    private int have;
    private final ArrayDeque<In> queue = new ArrayDeque<>();
    private final ArrayDeque<In> spare = new ArrayDeque<>();
    private long credit; // bytes of emit frames

    private int task;
    private Output[] outputs;
    private Objects objects = Objects.NONE;

    private final ByteBuffer rawOut = ByteBuffer.allocateDirect(256 << 10);
    private final Outbox box = new Outbox();
    private boolean gathered; // something is in it

    // Held by who runs code of the task.
    private final ReentrantLock turn = new ReentrantLock();
    private final Queue<Runnable> asides = new ConcurrentLinkedQueue<>();

    private long calls; // frames of calls that are worked off; of the channel's thread

    private Channel(SocketChannel socket) {
        this.socket = socket;
    }

    static Channel open(String path, byte[] token, long id) throws IOException {
        return new Channel(dial(path, token, id));
    }

    static SocketChannel dial(String path, byte[] token, long id) throws IOException {
        SocketChannel s = SocketChannel.open(UnixDomainSocketAddress.of(path));
        ByteBuffer hello = ByteBuffer.allocate(14 + token.length).order(ByteOrder.LITTLE_ENDIAN);
        hello.put("GSJV".getBytes(StandardCharsets.US_ASCII)).putShort((short) VERSION).putLong(id).put(token).flip();
        writeAll(s, hello);
        ByteBuffer answer = ByteBuffer.allocate(7).order(ByteOrder.LITTLE_ENDIAN);
        while (answer.hasRemaining()) {
            if (s.read(answer) < 0) {
                throw new EOFException("the Go side closed the connection");
            }
        }
        if (answer.get(6) != 0) {
            throw new IOException("the Go side refused channel " + id + ": status " + answer.get(6) + ", its version is "
                + answer.getShort(4) + ", ours is " + VERSION);
        }
        return s;
    }

    /** Does what comes until the Go side closes the channel. The caller closes it. */
    void run(Work work) throws Exception {
        start();
        Flusher.INSTANCE.add(this);
        work.prepare(this);
        for (In f; (f = next()) != null; ) {
            turn.lock();
            try {
                execute(f, work);
            } finally {
                turn.unlock();
            }
            asides();
            done(f);
        }
    }

    /** Runs something soon, on this thread or on the channel's, while no code of the task runs. It may not throw. */
    public void aside(Runnable r) {
        asides.add(r);
        asides();
    }

    /** Runs what waits, unless code of the task runs: whoever runs that comes here afterwards. */
    private void asides() {
        while (!asides.isEmpty() && turn.tryLock()) {
            try {
                Runnable r = asides.poll();
                if (r != null) {
                    r.run();
                }
            } finally {
                turn.unlock();
            }
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

    void close() {
        Flusher.INSTANCE.remove(this);
        lock.lock();
        try {
            over = true;
            changed.signalAll();
            socket.close();
        } catch (IOException e) { // it is closed all the same
        } finally {
            lock.unlock();
        }
    }

    public int task() {
        return task;
    }

    /** The outputs by the places that emit takes. */
    public Output[] outputs() {
        return outputs;
    }

    /** Sets how objects of unknown classes are written and read. Called in prepare. */
    public void objects(Objects o) {
        objects = o;
    }

    /**
     * Emits a tuple on an output, to the given tasks, or to those that the Go side chooses if tasks is null. It may wait
     * for credit. After the end of the channel it does nothing.
     */
    public void emit(int output, int[] tasks, List<Object> values, Ref... anchors) throws IOException {
        emit(output, tasks, values, anchors, false);
    }

    /** Emits a tuple of a spout whose tree is tracked, and returns its number: 1, 2, and so on. */
    public long emitTracked(int output, int[] tasks, List<Object> values) throws IOException {
        return emit(output, tasks, values, NO_ANCHORS, true);
    }

    private long emit(int output, int[] tasks, List<Object> values, Ref[] anchors, boolean tracked) throws IOException {
        lock.lock();
        try {
            if (box.rows.n > FULL) {
                flush(true);
            }
            if (over) {
                return 0;
            }
            long number = box.emit(output, tasks, values, anchors, tracked, objects, MAX_TUPLE);
            gathered();
            return number;
        } finally {
            lock.unlock();
        }
    }

    /** Says that a tuple is done. What was emitted before goes first. */
    public void ack(Ref t) {
        settle(ACK, t);
    }

    /** Fails the trees of a tuple at once. */
    public void fail(Ref t) {
        settle(FAIL, t);
    }

    /** Starts the timeout of a tuple's trees again. */
    public void resetTimeout(Ref t) {
        settle(RESET, t);
    }

    private void settle(int what, Ref t) {
        lock.lock();
        try {
            box.settle(what, t);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Tells of an error of the component, which goes on. */
    public void error(String text) {
        lock.lock();
        try {
            box.note(ERROR, text);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Writes what was gathered. */
    public void flush() throws IOException {
        lock.lock();
        try {
            flush(true);
        } finally {
            lock.unlock();
        }
    }

    private void start() throws IOException {
        In f = next();
        if (f == null) {
            throw new EOFException("no start frame");
        }
        if (f.u8() != START) {
            throw new IllegalStateException("the first frame is no start frame");
        }
        task = (int) f.varint();
        credit = f.u32();
        outputs = new Output[f.count()];
        for (int i = 0; i < outputs.length; i++) {
            String stream = f.text();
            int[] tasks = new int[f.count()];
            for (int j = 0; j < tasks.length; j++) {
                tasks[j] = (int) f.varint();
            }
            outputs[i] = new Output(stream, tasks);
        }
    }

    private void execute(In f, Work work) throws Exception {
        int kind = f.u8();
        switch (kind) {
            case BATCH:
                batch(f, work);
                break;
            case NEXT:
                work.next((int) f.uvarint());
                consumed(++calls);
                break;
            case ENDED:
                boolean acked = f.u8() == ACK;
                long first = f.u64();
                work.ended(acked, first, f.u32());
                break;
            case STATUS:
                work.status(f.u8() == 1);
                break;
            default:
                throw new IllegalStateException("unknown frame " + kind);
        }
    }

    private void batch(In f, Work work) throws Exception {
        long handle = f.u64();
        int n = f.u32();
        int stream = 0, source = 0, arity = 0;
        for (int row = 0; row < n; row++) {
            if ((f.u8() & 1) != 0) {
                stream = (int) f.uvarint();
                source = (int) f.varint();
                arity = f.count();
            }
            Object[] values = new Object[arity];
            for (int i = 0; i < arity; i++) {
                values[i] = f.value(0, objects);
            }
            work.row(handle, row, stream, source, values);
        }
        consumed(handle);
    }

    private void consumed(long handle) {
        lock.lock();
        try {
            box.consumed(handle);
            gathered();
        } finally {
            lock.unlock();
        }
    }

    /** Returns the next frame, null at the end of the connection. Before it waits it writes what was gathered. */
    private In next() throws IOException {
        lock.lock();
        try {
            if (box.size() > FULL) {
                flush(true);
            }
            while (queue.isEmpty()) {
                flush(false); // without credit: that will come, and this is tried again
                if (queue.isEmpty() && !await()) {
                    return null;
                }
            }
            return queue.poll();
        } finally {
            lock.unlock();
        }
    }

    private void done(In f) {
        lock.lock();
        try {
            spare.push(f);
        } finally {
            lock.unlock();
        }
    }

    /** Waits until something has come, read by this thread or by another one; false at the end of the connection. */
    private boolean await() throws IOException {
        if (over) {
            return false;
        }
        if (reading) {
            changed.awaitUninterruptibly();
            return !over;
        }
        boolean interrupted = Thread.interrupted(); // an interrupt would close the socket
        int n = -1;
        reading = true;
        lock.unlock();
        try {
            rawIn.clear();
            n = socket.read(rawIn);
        } finally {
            lock.lock();
            reading = false;
            over |= n < 0;
            changed.signalAll();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        if (over) {
            return false;
        }
        take(n);
        return true;
    }

    /** Queues the frames that are whole with the n bytes that were read. */
    private void take(int n) {
        rawIn.flip();
        if (in.length - have < n) {
            in = Arrays.copyOf(in, have + n);
        }
        rawIn.get(in, have, n);
        have += n;
        int at = 0;
        while (have - at >= 4) {
            int len = in[at] & 0xFF | (in[at + 1] & 0xFF) << 8 | (in[at + 2] & 0xFF) << 16 | (in[at + 3] & 0xFF) << 24;
            if (len <= 0 || len > MAX_FRAME) {
                throw new IllegalStateException("frame of " + len + " bytes");
            }
            if (have - at - 4 < len) {
                break;
            }
            frame(at + 4, len);
            at += 4 + len;
        }
        System.arraycopy(in, at, in, 0, have - at);
        have -= at;
    }

    private void frame(int at, int len) {
        In f = spare.isEmpty() ? new In() : spare.pop();
        f.set(in, at, len);
        if (in[at] == GRANT) {
            f.u8();
            credit += f.uvarint();
            spare.push(f);
        } else {
            queue.add(f);
        }
    }

    private void gathered() {
        if (!gathered) {
            gathered = true;
            Flusher.INSTANCE.wake();
        }
    }

    /** Is called by the flusher; says whether it has to look again. */
    boolean flushLate() {
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
            if (!await()) {
                box.dropRows(); // nobody listens any more
            }
        }
        if (box.hasRows()) {
            Out rows = box.rowFrames();
            credit -= rows.n;
            write(rows);
            box.dropRows();
        }
        write(box.settleFrames());
        box.dropSettles();
        write(box.noteFrames());
        box.dropNotes();
        gathered = false;
        return true;
    }

    private void write(Out o) throws IOException {
        boolean interrupted = Thread.interrupted(); // an interrupt would close the socket
        try {
            for (int at = 0; at < o.n; ) {
                rawOut.clear();
                int n = Math.min(o.n - at, rawOut.capacity());
                rawOut.put(o.a, at, n).flip();
                writeAll(socket, rawOut);
                at += n;
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static void writeAll(SocketChannel s, ByteBuffer b) throws IOException {
        while (b.hasRemaining()) {
            s.write(b);
        }
    }
}
