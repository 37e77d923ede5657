package gearstorm.jvmhost.storm;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.apache.storm.state.DefaultStateSerializer;
import org.apache.storm.state.InMemoryKeyValueState;
import org.apache.storm.task.TopologyContext;

/**
 * The state of a bolt, and its entries as bytes: their number, then for each the length of its key, the key, the length of its value, the
 * value; numbers are of 4 bytes, little endian. Keys and values are written as Storm's states do it that are not in memory alone.
 */
final class Entries {
    final InMemoryKeyValueState<Object, Object> state = new InMemoryKeyValueState<>();
    private final DefaultStateSerializer<Object> objects;

    Entries(Map<String, Object> conf, TopologyContext context) {
        objects = new DefaultStateSerializer<>(conf, context);
    }

    byte[] write() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        int n = 0;
        try {
            out.writeInt(0);
            for (Map.Entry<Object, Object> e : state) {
                add(out, e.getKey());
                add(out, e.getValue());
                n++;
            }
        } catch (IOException e) { // not in memory
            throw new UncheckedIOException(e);
        }
        byte[] b = bytes.toByteArray();
        ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN).putInt(n);
        return b;
    }

    private void add(DataOutputStream out, Object o) throws IOException {
        byte[] b;
        try {
            b = objects.serialize(o);
        } catch (RuntimeException | StackOverflowError e) { // the latter if it holds itself
            throw new IllegalStateException("a " + o.getClass().getName() + " in the state cannot be written", e);
        }
        out.writeInt(Integer.reverseBytes(b.length));
        out.write(b);
    }

    /** Puts entries into the state. */
    void read(byte[] saved) {
        ByteBuffer in = ByteBuffer.wrap(saved).order(ByteOrder.LITTLE_ENDIAN);
        for (int n = in.getInt(); n > 0; n--) {
            Object key = take(in);
            state.put(key, take(in));
        }
        if (in.hasRemaining()) {
            throw new IllegalStateException("the saved state has " + in.remaining() + " bytes too many");
        }
    }

    private Object take(ByteBuffer in) {
        int n = in.getInt();
        if (n < 0 || n > in.remaining()) {
            throw new IllegalStateException("the saved state ends too early");
        }
        byte[] b = new byte[n];
        in.get(b);
        return objects.deserialize(b);
    }
}
