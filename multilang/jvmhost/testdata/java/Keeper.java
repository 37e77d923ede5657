package gearstorm.jvmhost;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A bolt with a state: emits how many tuples it had before each one, and counts the number that it emits for a checkpoint, too. Its state is
 * longer by as many bytes as its first argument says; with a second one it cannot say what it is. When a checkpoint
 * counts it reports that as an error.
 */
public final class Keeper implements Work {
    private final int pad;
    private final boolean fails;
    private Channel channel;
    private long count;
    private long frozen; // the newest checkpoint

    private Keeper(int pad, boolean fails) {
        this.pad = pad;
        this.fails = fails;
    }

    public static void main(String[] args) throws Exception {
        Host.run(() -> new Keeper(Integer.parseInt(args[0]), args.length > 1));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
        byte[] state = c.takeState();
        if (state != null) {
            count = ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN).getLong(4);
        }
    }

    @Override
    public void row(long handle, int row, int stream, int source, boolean tracked, Object[] values) throws IOException {
        Tuple t = new Tuple(handle, row, stream, source, List.of());
        channel.emit(0, null, List.of(count++), t);
        channel.ack(t);
    }

    @Override
    public boolean keeps() {
        return true;
    }

    @Override
    public byte[] freeze(long epoch) throws IOException {
        if (fails) {
            throw new IllegalStateException("not now");
        }
        channel.emit(0, null, List.of(count++));
        frozen = epoch;
        return ByteBuffer.allocate(12 + pad).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putLong(count).array();
    }

    @Override
    public void commit(long epoch) {
        channel.error("checkpoint " + epoch + " counts, " + frozen + " was the last one");
    }
}
