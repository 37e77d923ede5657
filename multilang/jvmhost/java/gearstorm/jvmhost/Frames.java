package gearstorm.jvmhost;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayDeque;

/** Executes the frames that come for a task, in order. Of the channel's thread. */
final class Frames {
    private static final int START = 1, BATCH = 2, NEXT = 7, ENDED = 8, STATUS = 9, RETURNED = 13, FREEZE = 17, STATE = 18, COMMIT = 20, GRAPH = 21;
    private static final int HEAD = 1, TRACKED = 2; // bits of a row

    private static final int MAX_STATE = 1 << 30; // bytes of one task

    private final Writer writer;
    private final ArrayDeque<Integer> granted = new ArrayDeque<>(); // calls of nextTuple, by frame
    private long calls; // frames of calls that are worked off

    Frames(Writer writer) {
        this.writer = writer;
    }

    /** What the first frame says. */
    record Start(int task, long graph, int credit, Channel.Output[] outputs) {}

    /** Whether a frame is a piece of the state that the task begins with, which out gets. Such frames come before that of start. */
    static boolean state(In f, ByteArrayOutputStream out) {
        if (f.peek() != STATE) {
            return false;
        }
        f.u8();
        f.rest(out);
        return true;
    }

    static Start start(In f) {
        if (f.u8() != START) {
            throw new IllegalStateException("the first frame is no start frame");
        }
        int task = (int) f.varint();
        long graph = f.u64();
        int credit = f.u32();
        Channel.Output[] outputs = new Channel.Output[f.count()];
        for (int i = 0; i < outputs.length; i++) {
            String stream = f.text();
            int[] tasks = new int[f.count()];
            for (int j = 0; j < tasks.length; j++) {
                tasks[j] = (int) f.varint();
            }
            outputs[i] = new Channel.Output(stream, tasks);
        }
        return new Start(task, graph, credit, outputs);
    }

    void execute(In f, Work work, Objects objects) throws Exception {
        int kind = f.u8();
        switch (kind) {
            case BATCH:
                batch(f, work, objects);
                break;
            case NEXT:
                granted.add((int) f.uvarint());
                break;
            case ENDED:
                boolean acked = f.u8() == Exports.ACK;
                long first = f.u64();
                work.ended(acked, first, f.u32());
                break;
            case RETURNED:
                int op = f.u8();
                long number = f.u64();
                writer.exports.returned(op, number, f.u32());
                break;
            case STATUS:
                status(f.u8() == 1, work);
                break;
            case FREEZE:
                freeze(f.u64(), work);
                break;
            case COMMIT:
                work.commit(f.u64());
                break;
            case GRAPH:
                work.follow(f.u64());
                break;
            default:
                throw new IllegalStateException("unknown frame " + kind);
        }
    }

    /** Hands over what the task keeps. An exception costs the checkpoint, not the task. */
    private void freeze(long epoch, Work work) throws IOException {
        byte[] state = {};
        String why = "";
        try {
            state = work.freeze(epoch);
            if (state.length > MAX_STATE) {
                why = "a state of " + state.length + " bytes is too large, " + MAX_STATE + " are allowed";
                state = new byte[0];
            }
        } catch (Exception e) {
            why = Host.text(e);
        }
        writer.frozen(epoch, state, why);
    }

    private void status(boolean active, Work work) throws Exception {
        if (!active && !granted.isEmpty()) {
            calls += granted.size();
            granted.clear();
            writer.consumed(calls, false);
        }
        work.status(active);
    }

    private void batch(In f, Work work, Objects objects) throws Exception {
        long handle = f.u64();
        int n = f.u32();
        int stream = 0, source = 0, arity = 0;
        for (int row = 0; row < n; row++) {
            int bits = f.u8();
            if ((bits & HEAD) != 0) {
                stream = (int) f.uvarint();
                source = (int) f.varint();
                arity = f.count();
            }
            Object[] values = new Object[arity];
            for (int i = 0; i < arity; i++) {
                values[i] = f.value(0, objects);
            }
            work.row(handle, row, stream, source, (bits & TRACKED) != 0, values);
        }
        writer.consumed(handle);
    }

    /** Works off the calls of nextTuple that one frame grants; false if there is none, or they have to wait. */
    boolean next(Work work) throws Exception {
        if (granted.isEmpty() || !work.ready()) {
            return false;
        }
        writer.consumed(++calls, work.next(granted.poll()));
        writer.flushNow(); // the next calls are granted meanwhile
        return true;
    }
}
