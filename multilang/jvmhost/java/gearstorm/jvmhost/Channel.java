package gearstorm.jvmhost;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The connection of one task. Its thread executes what comes, over the connection and from other tasks of the process (see
 * Inbox); any thread may emit and settle. What is emitted and settled gathers here and is written when no input is left, when
 * it is much, or after a millisecond (see Flusher).
 *
 * <p>While there is no credit for emits, who emits waits. A thread of its own reads, so that who waits for credit with a lock
 * of the bolt's in its hands does not depend on the channel's thread, which may want that lock.
 */
public final class Channel {
    private static final int VERSION = 3;
    private static final int MAX_FRAME = 4 << 20;
    private static final int FULL = 48 << 10; // what is gathered is written from here on
    private static final int MAX_TUPLE = MAX_FRAME - 2 * FULL;
    private static final int START = 1, BATCH = 2;
    private static final int NEXT = 7, ENDED = 8, STATUS = 9, ERROR = 10, GONE = 11, RETURNED = 13, LEFT = 15;
    private static final long COUNTS_NANOS = 100_000_000; // between two reports of counts
    private static final long LEAVE_NANOS = 30_000_000; // for what others had begun to send
    private static final int ACK = 1, FAIL = 2, RESET = 3;
    private static final int AT_ONCE = 256; // trees that are looked up in one go
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
    private final Reader reader;
    private final Locals locals;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition(); // credit came, or the end

    // Of the channel's thread.
    private final ArrayDeque<Integer> granted = new ArrayDeque<>(); // calls of nextTuple, by frame
    private long calls; // frames of calls that are worked off
    private Inbox inbox; // null if the task is not local
    private boolean remote; // it was local
    private long leftAt; // when it was not any more; 0: said already
    private long countedAt;

    private volatile Thread thread;
    private volatile Work work;
    private volatile boolean parked; // it sleeps, or is about to
    private volatile boolean over; // the connection has ended

    // All below is guarded by lock, but for what start sets.
    private long credit; // bytes of emit frames
    private int task;
    private Output[] outputs;
    private Objects objects = Objects.NONE;
    private final ByteBuffer rawOut = ByteBuffer.allocateDirect(256 << 10); // empty but in flush
    private final Outbox box = new Outbox();
    private volatile boolean gathered; // something is in it
    private final Numbered exports = new Numbered(); // trees
    private final long[] exportedAt = new long[4]; // at the last rotations, the newest first
    private volatile int age; // rotations; written with the lock

    // Held by who runs code of the task.
    private final ReentrantLock turn = new ReentrantLock();
    private final Queue<Runnable> asides = new ConcurrentLinkedQueue<>();

    /** Its tuples to other tasks of the process. */
    public final Edges edges;

    private volatile Counts counts; // null: nothing is counted

    private Channel(SocketChannel socket, Locals locals, long id) {
        this.socket = socket;
        this.locals = locals;
        edges = new Edges(locals);
        reader = new Reader(socket, this, id);
    }

    static Channel open(String path, byte[] token, long id, Locals locals) throws IOException {
        return new Channel(dial(path, token, id), locals, id);
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
        this.work = work;
        thread = Thread.currentThread();
        reader.start();
        start();
        Flusher.INSTANCE.add(this);
        work.prepare(this);
        Inbox local = locals.find(task);
        if (local != null) {
            moveTo(local);
        }
        for (;;) {
            turn.lock();
            boolean did;
            try {
                did = step(work);
            } finally {
                turn.unlock();
            }
            asides();
            work.worked();
            if (did) {
                edges.flush();
                if (box.size() > FULL) {
                    flush();
                }
            } else if (!rest(work)) {
                return;
            }
        }
    }

    /** Does a piece of what there is to do; false if that is nothing. */
    private boolean step(Work work) throws Exception {
        boolean did = work.step();
        In f = reader.poll();
        if (f != null) {
            execute(f, work);
            reader.back(f);
            did = true;
        }
        Parcel p = inbox == null ? null : inbox.next();
        if (p != null) {
            work.parcel(p);
            inbox.done();
            did = true;
        }
        if (!granted.isEmpty() && work.ready()) {
            consumed(++calls, work.next(granted.poll()));
            flushNow(); // the next calls are granted meanwhile
            did = true;
        }
        if (did && over && reader.isEmpty()) {
            return false;
        }
        return did;
    }

    private void flushNow() throws IOException {
        lock.lock();
        try {
            flush(false); // without credit: that will come, and this is tried again
        } finally {
            lock.unlock();
        }
    }

    /** Waits until there is something to do; false at the end of the connection. Before it waits it hands over what was gathered. */
    private boolean rest(Work work) throws IOException {
        edges.flush();
        long wait = leave(work);
        wait = Math.min(wait, tellCounts(false));
        flushNow();
        if (over && reader.isEmpty()) {
            return false;
        }
        parked = true;
        if (reader.isEmpty() && !over && (inbox == null || inbox.next() == null) && !work.waiting() && asides.isEmpty()) {
            if (wait == Long.MAX_VALUE) {
                LockSupport.park(this);
            } else {
                LockSupport.parkNanos(this, wait);
            }
        }
        parked = false;
        Thread.interrupted(); // nobody's business while no code of the task runs
        return true;
    }

    /** Says once that nothing is under way to the task within the process, if it is not local any more. It returns how long to wait. */
    private long leave(Work work) {
        Inbox local = locals.find(task);
        if (local != null && local != inbox && (inbox == null || inbox.isEmpty())) { // it has come back
            moveTo(local);
        }
        if (local == inbox && (local != null || !locals.areKnown())) {
            remote = false;
            return Long.MAX_VALUE;
        }
        long now = System.nanoTime();
        if (!remote) {
            remote = true;
            leftAt = now;
        }
        if (leftAt == 0) {
            return COUNTS_NANOS; // it may come back
        }
        if (now - leftAt < LEAVE_NANOS || inbox != null && !inbox.isEmpty() || work.holding()) {
            return LEAVE_NANOS;
        }
        leftAt = 0;
        tellCounts(true);
        lock.lock();
        try {
            box.left(LEFT);
            gathered();
        } finally {
            lock.unlock();
        }
        return COUNTS_NANOS;
    }

    private void moveTo(Inbox local) {
        if (inbox != null) {
            inbox.leave(this);
            inbox.close(); // who had begun to add to it
        }
        inbox = local.open(this) ? local : null;
    }

    /** Tells what was counted, but not too often. It returns how long to wait. */
    private long tellCounts(boolean now) {
        Counts c = counts;
        if (c == null || !c.any()) {
            return Long.MAX_VALUE;
        }
        long at = System.nanoTime();
        if (!now && at - countedAt < COUNTS_NANOS) {
            return COUNTS_NANOS;
        }
        countedAt = at;
        lock.lock();
        try {
            box.counts(c);
            gathered();
        } finally {
            lock.unlock();
        }
        return Long.MAX_VALUE;
    }

    /** Is called about every millisecond while the task is busy: tells what was counted, if that is due. */
    void tellLate() {
        if (!parked) {
            tellCounts(false);
        }
    }

    /** Wakes the task's thread: there is something to do. */
    public void signal() {
        if (parked) {
            parked = false;
            LockSupport.unpark(thread);
        }
    }

    /** Has the task's thread woken within about a millisecond, if it sleeps and there is something to do. */
    public void wakeSoon() {
        Flusher.INSTANCE.wake();
    }

    /** Is called by the flusher. */
    void nudge() {
        if (parked && work.waiting()) {
            signal();
        }
    }

    /** Is called by the reader when frames or credit have come. */
    void came(int more) {
        if (more > 0) {
            lock.lock();
            try {
                credit += more;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
        signal();
    }

    /** Is called by the reader at the end of the connection. */
    void ended() {
        lock.lock();
        try {
            over = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        signal();
    }

    boolean isOver() {
        return over;
    }

    /** Runs something soon, on this thread or on the channel's, while no code of the task runs. It may not throw. */
    public void aside(Runnable r) {
        asides.add(r);
        asides();
        signal();
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
        edges.flush();
        if (inbox != null) {
            inbox.leave(this);
            if (locals.find(task) != inbox) {
                inbox.close();
            }
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

    /**
     * Emits a tuple of trees that are in this process; it holds them. It may have anchors beside them. What becomes of it will be
     * done to the trees.
     */
    public void export(int output, int[] tasks, List<Object> values, Ref[] anchors, Object trees) throws IOException {
        lock.lock();
        try {
            if (box.rows.n > FULL) {
                flush(true);
            }
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

    /** Forgets what left three message timeouts ago and of whose trees nobody knows any more. Called once in each. */
    public void rotateExports() {
        lock.lock();
        try {
            age++;
            exports.forget(exportedAt[exportedAt.length - 1], Tree::isOver);
            System.arraycopy(exportedAt, 0, exportedAt, 1, exportedAt.length - 1);
            exportedAt[0] = exports.last();
        } finally {
            lock.unlock();
        }
    }

    /** Counts message timeouts. */
    public int age() {
        return age;
    }

    private void returned(int op, long first, int n) {
        Object[] trees = new Object[Math.min(n, AT_ONCE)];
        for (int done = 0; done < n; ) {
            int some = Math.min(n - done, trees.length);
            lock.lock();
            try {
                for (int i = 0; i < some; i++) {
                    long number = first + done + i;
                    trees[i] = op == RESET ? exports.get(number) : exports.take(number);
                }
            } finally {
                lock.unlock();
            }
            for (int i = 0; i < some; i++) {
                returned(op, trees[i]);
            }
            done += some;
        }
    }

    private static void returned(int op, Object trees) {
        switch (op) {
            case ACK:
                Tree.release(trees);
                break;
            case FAIL:
                Tree.fail(trees);
                break;
            default:
                Tree.reset(trees);
        }
    }

    /** What happens to tuples that do not pass the Go side is counted here; listener may be null. Called in prepare. */
    public Counts counts(int streams, Counts.Listener listener) {
        return counts = new Counts(streams, listener);
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
            long number = box.emit(output, tasks, values, anchors, tracked, false, objects, MAX_TUPLE);
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
        In f;
        while ((f = reader.poll()) == null) {
            parked = true;
            if (over) {
                throw new EOFException("no start frame");
            }
            if (reader.isEmpty()) {
                LockSupport.park(this);
            }
        }
        parked = false;
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
                granted.add((int) f.uvarint());
                break;
            case ENDED:
                boolean acked = f.u8() == ACK;
                long first = f.u64();
                work.ended(acked, first, f.u32());
                break;
            case RETURNED:
                int op = f.u8();
                long number = f.u64();
                returned(op, number, f.u32());
                break;
            case STATUS:
                status(f.u8() == 1, work);
                break;
            default:
                throw new IllegalStateException("unknown frame " + kind);
        }
    }

    private void status(boolean active, Work work) throws Exception {
        if (!active && !granted.isEmpty()) {
            calls += granted.size();
            granted.clear();
            consumed(calls, false);
        }
        work.status(active);
    }

    private void batch(In f, Work work) throws Exception {
        long handle = f.u64();
        int n = f.u32();
        int stream = 0, source = 0, arity = 0;
        for (int row = 0; row < n; row++) {
            int bits = f.u8();
            if ((bits & 1) != 0) {
                stream = (int) f.uvarint();
                source = (int) f.varint();
                arity = f.count();
            }
            Object[] values = new Object[arity];
            for (int i = 0; i < arity; i++) {
                values[i] = f.value(0, objects);
            }
            work.row(handle, row, stream, source, (bits & 2) != 0, values);
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

    private void consumed(long frames, boolean emitted) {
        lock.lock();
        try {
            box.consumed(frames, emitted);
            gathered();
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
            awaitCredit();
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

    private void awaitCredit() {
        changed.awaitUninterruptibly();
    }

    /** Adds to what write writes; it writes itself when that is much. */
    private void put(Out o) throws IOException {
        for (int at = 0; at < o.n; ) {
            if (!rawOut.hasRemaining()) {
                write();
            }
            int n = Math.min(o.n - at, rawOut.remaining());
            rawOut.put(o.a, at, n);
            at += n;
        }
    }

    private void write() throws IOException {
        boolean interrupted = Thread.interrupted(); // an interrupt would close the socket
        rawOut.flip();
        try {
            if (!over) {
                writeAll(socket, rawOut);
            }
        } finally {
            rawOut.clear();
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
