package gearstorm.jvmhost;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * What a channel has gathered to be written: rows that were emitted, then what was settled and executed, then errors. Used
 * under the channel's lock.
 */
final class Outbox {
    private static final int EMIT = 4, SETTLE = 5, CONSUMED = 6;
    private static final int MAX_TEXT = 32 << 10;
    private static final int STATS = 14, READY = 16, STATE = 18, FROZEN = 19;
    private static final int NUMBERED = 1;
    private static final int EXPORT = 8;

    /** Frames of emits, which need credit. */
    final Out rows = new Out();
    private int nRows;
    private int lastOutput;
    private int[] lastTasks;
    private int lastArity;
    private long lastHandle;
    private int lastRow;
    private long lastNumber;

    private final Out settles = new Out();
    private int op; // of the range that grows: rows from..from+count of handle
    private long opHandle;
    private int from;
    private int count;
    private long consumed;
    private int emitted = -1; // of a spout: whether the last frame of calls did; -1: it is no spout

    private final Out notes = new Out();

    Outbox() {
        dropRows();
        dropSettles();
    }

    boolean hasRows() {
        return nRows > 0;
    }

    /** About how many bytes wait. */
    int size() {
        return rows.n + settles.n;
    }

    /** Adds a row and returns its number if it is tracked; one that is too large, or cannot be written, is not there. */
    long emit(int output, int[] tasks, List<Object> values, Ref[] anchors, boolean tracked, boolean export, Objects objects, int maxBytes) {
        int start = rows.n;
        try {
            row(output, tasks, values, anchors, tracked ? NUMBERED : anchorForm(anchors), export, objects);
            if (rows.n - start > maxBytes) {
                throw new IllegalArgumentException("a tuple of " + (rows.n - start) + " bytes is too large");
            }
        } catch (RuntimeException | Error e) { // who emits may go on after either
            rows.n = start;
            lastOutput = -1;
            throw e;
        }
        if (anchors.length > 0) {
            lastHandle = anchors[anchors.length - 1].handle();
            lastRow = anchors[anchors.length - 1].row();
        }
        nRows++;
        return tracked ? ++lastNumber : 0;
    }

    private void row(int output, int[] tasks, List<Object> values, Ref[] anchors, int form, boolean export, Objects objects) {
        int arity = values.size();
        boolean head = output != lastOutput || arity != lastArity || tasks != lastTasks && !Arrays.equals(tasks, lastTasks);
        rows.u8((head ? 1 : 0) | form << 1 | (export ? EXPORT : 0));
        if (head) {
            head(output, tasks, arity);
        }
        if (form == 3) {
            rows.uvarint(anchors.length);
            for (Ref t : anchors) {
                rows.uvarint(t.handle());
                rows.uvarint(t.row());
            }
        }
        for (int i = 0; i < arity; i++) {
            rows.value(values.get(i), 0, objects);
        }
    }

    private int anchorForm(Ref[] anchors) {
        if (anchors.length == 0) {
            return 0;
        }
        Ref t = anchors[0];
        if (anchors.length == 1 && t.handle() == lastHandle && (t.row() == lastRow + 1 || t.row() == lastRow)) {
            return t.row() == lastRow ? 2 : 1;
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

    void settle(int what, Ref t) {
        if (what == op && t.handle() == opHandle && t.row() == from + count) {
            count++;
            return;
        }
        endRange();
        op = what;
        opHandle = t.handle();
        from = t.row();
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

    void consumed(long handle) {
        consumed = handle;
    }

    void consumed(long frames, boolean emitted) {
        consumed = frames;
        this.emitted = emitted ? 1 : 0;
    }

    /** Adds a frame of that kind that says nothing else. */
    void bare(int kind) {
        notes.u32(1);
        notes.u8(kind);
    }

    /** Adds a frame that says that the component is prepared, and whether it keeps something. */
    void ready(boolean keeps) {
        notes.u32(2);
        notes.u8(READY);
        notes.u8(keeps ? 1 : 0);
    }

    /** Adds a frame with b[from, from+count), a piece of the state. */
    void state(byte[] b, int from, int count) {
        notes.u32(1 + count);
        notes.u8(STATE);
        notes.raw(b, from, count);
    }

    /** Adds a frame that says that this was the state at a checkpoint, or why there is none. */
    void frozen(long epoch, String why) {
        byte[] b = bounded(why);
        notes.u32(9 + b.length);
        notes.u8(FROZEN);
        notes.u64(epoch);
        notes.raw(b);
    }

    /** Adds a frame with what was counted. */
    void counts(Counts c) {
        int at = notes.n;
        notes.u32(0);
        notes.u8(STATS);
        c.take(notes);
        notes.putU32(at, notes.n - at - 4);
    }

    private static byte[] bounded(String text) {
        return text.substring(0, Math.min(text.length(), MAX_TEXT / 3)).getBytes(StandardCharsets.UTF_8);
    }

    /** Adds a frame with a text, the beginning of it if it is long. */
    void note(int kind, String text) {
        byte[] b = bounded(text);
        notes.u32(1 + b.length);
        notes.u8(kind);
        notes.raw(b);
    }

    /** Makes whole frames of the rows, which dropRows then takes out. */
    Out rowFrames() {
        rows.putU32(0, rows.n - 4);
        rows.putU32(5, nRows);
        return rows;
    }

    void dropRows() {
        rows.n = 0;
        rows.u32(0);
        rows.u8(EMIT);
        rows.u32(0);
        nRows = 0;
        lastOutput = -1;
        lastHandle = 0; // no handle is 0
    }

    /** Makes whole frames of what is settled and executed, which dropSettles then takes out; none may be empty. */
    Out settleFrames() {
        endRange();
        if (settles.n > 5) {
            settles.putU32(0, settles.n - 4);
        } else {
            settles.n = 0;
        }
        if (consumed > 0) {
            settles.u32(emitted < 0 ? 9 : 10);
            settles.u8(CONSUMED);
            settles.u64(consumed);
            if (emitted >= 0) {
                settles.u8(emitted);
            }
        }
        return settles;
    }

    void dropSettles() {
        settles.n = 0;
        settles.u32(0);
        settles.u8(SETTLE);
        count = 0;
        op = 0;
        consumed = 0;
    }

    Out noteFrames() {
        return notes;
    }

    void dropNotes() {
        notes.n = 0;
    }
}
