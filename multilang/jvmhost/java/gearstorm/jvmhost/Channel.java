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

/**
 * The connection of one task, used by its thread only. What is emitted and settled gathers here and is written when no
 * input is left, or when it is much. While there is no credit for emits, the thread waits, and what comes meanwhile
 * queues; the Go side bounds that.
 */
public final class Channel {
    private static final int VERSION = 1;
    private static final int MAX_FRAME = 4 << 20;
    private static final int FULL = 48 << 10; // what is gathered is written from here on
    private static final int MAX_TUPLE = MAX_FRAME - 2 * FULL;
    private static final int START = 1, BATCH = 2, GRANT = 3, EMIT = 4, SETTLE = 5, CONSUMED = 6;
    private static final int ACK = 1, FAIL = 2;

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
    private final ByteBuffer raw = ByteBuffer.allocateDirect(256 << 10);
    private byte[] in = new byte[256 << 10]; // what was read and is no whole frame yet
    private int have;
    private final ArrayDeque<In> queue = new ArrayDeque<>();
    private final ArrayDeque<In> spare = new ArrayDeque<>();
    private long credit; // bytes of emit frames

    private int task;
    private Output[] outputs;

    // What is gathered: rows of an emit frame, then settles.
    private final Out rows = new Out();
    private int nRows;
    private int lastOutput = -1;
    private int[] lastTasks;
    private int lastArity;
    private long lastHandle;
    private int lastRow;
    private final Out settles = new Out();
    private int op; // of the range that grows: rows from..from+count of handle
    private long opHandle;
    private int from;
    private int count;
    private long consumed;

    private Channel(SocketChannel socket) {
        this.socket = socket;
        beginRows();
        beginSettles();
    }

    static Channel open(String path, byte[] token, long id) throws IOException {
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
        return new Channel(s);
    }

    /** Executes tuples until the Go side closes the channel. */
    void run(Bolt bolt) throws Exception {
        try (socket) {
            start();
            bolt.prepare(this);
            for (;;) {
                while (queue.isEmpty()) {
                    flush(); // input may come while it waits for credit
                    if (queue.isEmpty() && !read()) {
                        return;
                    }
                }
                In f = queue.poll();
                execute(f, bolt);
                spare.push(f);
                if (rows.n + settles.n > FULL) {
                    flush();
                }
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

    /**
     * Emits a tuple on an output, to the given tasks, or to those that the Go side chooses if tasks is null. It may wait
     * for credit.
     */
    public void emit(int output, int[] tasks, List<Object> values, Tuple... anchors) throws IOException {
        if (rows.n > FULL) {
            flush();
        }
        int start = rows.n;
        try {
            row(output, tasks, values, anchors);
            if (rows.n - start > MAX_TUPLE) {
                throw new IllegalArgumentException("a tuple of " + (rows.n - start) + " bytes is too large");
            }
        } catch (RuntimeException e) {
            rows.n = start;
            lastOutput = -1;
            throw e;
        }
        if (anchors.length > 0) {
            lastHandle = anchors[anchors.length - 1].handle;
            lastRow = anchors[anchors.length - 1].row;
        }
        nRows++;
    }

    private void row(int output, int[] tasks, List<Object> values, Tuple[] anchors) {
        int form = anchorForm(anchors);
        boolean head = output != lastOutput || values.size() != lastArity || tasks != lastTasks && !Arrays.equals(tasks, lastTasks);
        rows.u8((head ? 1 : 0) | form << 1);
        if (head) {
            head(output, tasks, values.size());
        }
        if (form == 3) {
            rows.uvarint(anchors.length);
            for (Tuple t : anchors) {
                rows.uvarint(t.handle);
                rows.uvarint(t.row);
            }
        }
        for (int i = 0; i < values.size(); i++) {
            rows.value(values.get(i), 0);
        }
    }

    /** Says that a tuple is done. What was emitted before goes first. */
    public void ack(Tuple t) {
        settle(ACK, t);
    }

    /** Fails the trees of a tuple at once. */
    public void fail(Tuple t) {
        settle(FAIL, t);
    }

    private int anchorForm(Tuple[] anchors) {
        if (anchors.length == 0) {
            return 0;
        }
        Tuple t = anchors[0];
        if (anchors.length == 1 && t.handle == lastHandle && (t.row == lastRow + 1 || t.row == lastRow)) {
            return t.row == lastRow ? 2 : 1;
        }
        return 3;
    }

    private void head(int output, int[] tasks, int arity) {
        rows.uvarint(output);
        rows.uvarint(tasks == null ? 0 : tasks.length + 1);
        if (tasks != null) {
            for (int t : tasks) {
                rows.varint(t);
            }
        }
        rows.uvarint(arity);
        lastOutput = output;
        lastTasks = tasks;
        lastArity = arity;
    }

    private void settle(int what, Tuple t) {
        if (what == op && t.handle == opHandle && t.row == from + count) {
            count++;
            return;
        }
        endRange();
        op = what;
        opHandle = t.handle;
        from = t.row;
        count = 1;
    }

    private void endRange() {
        if (count > 0) {
            settles.u8(op);
            settles.uvarint(opHandle);
            settles.uvarint(from);
            settles.uvarint(count);
        }
        count = 0;
        op = 0;
    }

    private void start() throws IOException {
        while (queue.isEmpty()) {
            if (!read()) {
                throw new EOFException("no start frame");
            }
        }
        In f = queue.poll();
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

    private void execute(In f, Bolt bolt) throws Exception {
        if (f.u8() != BATCH) {
            throw new IllegalStateException("unknown frame " + f.a[0]);
        }
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
                values[i] = f.value(0);
            }
            bolt.execute(new Tuple(handle, row, stream, source, Arrays.asList(values)));
        }
        consumed = handle;
    }

    /** Reads once and queues the frames that are whole; false at the end of the connection. */
    private boolean read() throws IOException {
        raw.clear();
        int n = socket.read(raw);
        if (n < 0) {
            return false;
        }
        raw.flip();
        if (in.length - have < n) {
            in = Arrays.copyOf(in, have + n);
        }
        raw.get(in, have, n);
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
        return true;
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

    private void beginRows() {
        rows.n = 0;
        rows.u32(0);
        rows.u8(EMIT);
        rows.u32(0);
        nRows = 0;
        lastOutput = -1;
        lastHandle = 0; // no handle is 0
    }

    private void beginSettles() {
        settles.n = 0;
        settles.u32(0);
        settles.u8(SETTLE);
    }

    /** Writes what was gathered: the rows, when there is credit, then what was settled and executed since. */
    private void flush() throws IOException {
        if (nRows > 0) {
            while (credit <= 0) {
                if (!read()) {
                    throw new EOFException("the Go side closed the connection");
                }
            }
            rows.putU32(0, rows.n - 4);
            rows.putU32(5, nRows);
            credit -= rows.n;
            write(rows);
            beginRows();
        }
        endRange();
        if (settles.n > 5) {
            settles.putU32(0, settles.n - 4);
        } else {
            settles.n = 0;
        }
        if (consumed > 0) {
            settles.u32(9);
            settles.u8(CONSUMED);
            settles.u64(consumed);
            consumed = 0;
        }
        if (settles.n > 0) {
            write(settles);
        }
        beginSettles();
    }

    private void write(Out o) throws IOException {
        for (int at = 0; at < o.n; ) {
            raw.clear();
            int n = Math.min(o.n - at, raw.capacity());
            raw.put(o.a, at, n).flip();
            writeAll(socket, raw);
            at += n;
        }
    }

    private static void writeAll(SocketChannel s, ByteBuffer b) throws IOException {
        while (b.hasRemaining()) {
            s.write(b);
        }
    }
}
