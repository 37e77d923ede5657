package gearstorm.jvmhost;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * The connection of one task. Its thread executes what comes, over the connection (see Frames) and from other tasks of the
 * process (see Home); any thread may emit and settle. What is emitted and settled gathers (see Writer) and is written when no
 * input is left, when it is much, or after a millisecond.
 *
 * <p>A thread of its own reads, so that who waits for credit with a lock of the bolt's in its hands does not depend on the
 * channel's thread, which may want that lock.
 */
public final class Channel {
    private static final long COUNTS_NANOS = 100_000_000; // between two reports of counts
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

    private final Reader reader;
    private final Writer writer;
    private final Turn turn = new Turn();

    // Of the channel's thread.
    private final Frames frames;
    private final Home home;
    private long countedAt;

    private volatile Thread thread;
    private volatile Work work;
    private volatile boolean parked; // it sleeps, or is about to
    private volatile RuntimeException died; // what a thread of the component ended with

    // Set by start.
    private int task;
    private long graph;
    private Output[] outputs;
    private byte[] state;

    private Objects objects = Objects.NONE; // set in prepare
    private volatile Counts counts; // null: nothing is counted

    /** Its tuples to other tasks of the process. */
    public final Edges edges;

    private Channel(SocketChannel socket, Locals locals, long id) {
        edges = new Edges(locals);
        reader = new Reader(socket, this, id);
        writer = new Writer(socket);
        frames = new Frames(writer);
        home = new Home(this, locals);
    }

    static Channel open(String path, byte[] token, long id, Locals locals) throws IOException {
        return new Channel(Dial.dial(path, token, id), locals, id);
    }

    /** Does what comes until the Go side closes the channel. The caller closes it. */
    void run(Work work) throws Exception {
        this.work = work;
        thread = Thread.currentThread();
        reader.start();
        start();
        Flusher.INSTANCE.add(this);
        work.prepare(this);
        writer.ready(work.keeps());
        home.begin();
        for (;;) {
            if (died != null) {
                throw died;
            }
            turn.begin();
            boolean did;
            try {
                did = step(work);
            } finally {
                turn.end();
            }
            turn.asides();
            work.worked();
            if (did) {
                edges.flush();
                writer.flushMuch();
            } else if (!rest(work)) {
                return;
            }
        }
    }

    private void start() throws IOException {
        In f;
        ByteArrayOutputStream begin = new ByteArrayOutputStream(0);
        while ((f = reader.poll()) == null || Frames.state(f, begin)) {
            if (f != null) {
                reader.back(f);
                continue;
            }
            parked = true;
            if (isOver()) {
                throw new EOFException("no start frame");
            }
            if (reader.isEmpty()) {
                LockSupport.park(this);
            }
        }
        parked = false;
        Frames.Start s = Frames.start(f);
        task = s.task();
        graph = s.graph();
        outputs = s.outputs();
        state = begin.size() > 0 ? begin.toByteArray() : null;
        writer.grant(s.credit());
    }

    /** Does a piece of what there is to do; false if that is nothing. */
    private boolean step(Work work) throws Exception {
        boolean did = work.step();
        In f = reader.poll();
        if (f != null) {
            frames.execute(f, work, objects);
            reader.back(f);
            did = true;
        }
        did |= home.step(work);
        did |= frames.next(work);
        return did && !(isOver() && reader.isEmpty());
    }

    /** Waits until there is something to do; false at the end of the connection. Before it waits it hands over what was gathered. */
    private boolean rest(Work work) throws IOException {
        edges.flush();
        long wait = home.leave(work);
        wait = Math.min(wait, tellCounts(false));
        writer.flushNow();
        if (isOver() && reader.isEmpty()) {
            return false;
        }
        parked = true;
        if (reader.isEmpty() && !isOver() && !home.hasParcel() && !work.waiting() && turn.isEmpty() && died == null) {
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
        writer.counts(c);
        return Long.MAX_VALUE;
    }

    /** Is called about every millisecond while the task is busy: tells what was counted, if that is due. */
    void tellLate() {
        if (!parked) {
            tellCounts(false);
        }
    }

    /** Says that nothing is under way to the task within the process any more. */
    void left() {
        tellCounts(true);
        writer.left();
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

    /** A thread that the component has started ended with what it did not catch: the task ends, as soon as no code of it runs. */
    void died(Thread t, Throwable e) {
        died = new IllegalStateException("thread " + t.getName() + " of the component ended with an exception that nobody caught", e);
        signal();
    }

    /** Is called by the flusher. */
    void nudge() {
        if (parked && work.waiting()) {
            signal();
        }
    }

    /** Is called by the flusher; says whether it has to look again. */
    boolean flushLate() {
        return writer.flushLate();
    }

    /** Is called by the reader when frames or credit have come. */
    void came(int credit) {
        if (credit > 0) {
            writer.grant(credit);
        }
        signal();
    }

    /** Is called by the reader at the end of the connection. */
    void ended() {
        writer.end();
        signal();
    }

    boolean isOver() {
        return writer.isOver();
    }

    /** Runs something soon, on this thread or on the channel's, while no code of the task runs. It may not throw. */
    public void aside(Runnable r) {
        turn.add(r);
        turn.asides();
        signal();
    }

    /** Says why the task cannot go on, in place of all that was gathered. */
    void gone(String why) {
        writer.gone(why);
    }

    void close() {
        Flusher.INSTANCE.remove(this);
        writer.close();
        edges.flush();
        home.end();
    }

    public int task() {
        return task;
    }

    /** The version of the graph that it begins with. */
    public long graph() {
        return graph;
    }

    /** What the task kept at the checkpoint that it begins from, see Work.freeze; null if that is nothing. It is given away. */
    public byte[] takeState() {
        byte[] s = state;
        state = null;
        return s;
    }

    /** The outputs by the places that emit takes. */
    public Output[] outputs() {
        return outputs;
    }

    /** Sets how objects of unknown classes are written and read. Called in prepare. */
    public void objects(Objects o) {
        objects = o;
    }

    /** What happens to tuples that do not pass the Go side is counted here; listener may be null. Called in prepare. */
    public Counts counts(Counts.Listener listener) {
        return counts = new Counts(listener);
    }

    /**
     * Emits a tuple on an output, to the given tasks, or to those that the Go side chooses if tasks is null. It may wait
     * for credit. After the end of the channel it does nothing.
     */
    public void emit(int output, int[] tasks, List<Object> values, Ref... anchors) throws IOException {
        writer.emit(output, tasks, values, anchors, false, objects);
    }

    /** Emits a tuple of a spout whose tree is tracked, and returns its number: 1, 2, and so on. */
    public long emitTracked(int output, int[] tasks, List<Object> values) throws IOException {
        return writer.emit(output, tasks, values, NO_ANCHORS, true, objects);
    }

    /**
     * Emits a tuple of trees that are in this process; it holds them. It may have anchors beside them. What becomes of it will be
     * done to the trees.
     */
    public void export(int output, int[] tasks, List<Object> values, Ref[] anchors, Object trees) throws IOException {
        writer.export(output, tasks, values, anchors, trees, objects);
    }

    /** Forgets what left three message timeouts ago and of whose trees nobody knows any more. Called once in each. */
    public void rotateExports() {
        writer.exports.rotate();
    }

    /** Counts message timeouts. */
    public int age() {
        return writer.exports.age();
    }

    /** Says that a tuple is done. What was emitted before goes first. */
    public void ack(Ref t) {
        writer.settle(Exports.ACK, t);
    }

    /** Fails the trees of a tuple at once. */
    public void fail(Ref t) {
        writer.settle(Exports.FAIL, t);
    }

    /** Starts the timeout of a tuple's trees again. */
    public void resetTimeout(Ref t) {
        writer.settle(Exports.RESET, t);
    }

    /** Tells of an error of the component, which goes on. */
    public void error(String text) {
        writer.error(text);
    }

    /** Writes what was gathered. */
    public void flush() throws IOException {
        writer.flush();
    }
}
