package gearstorm.jvmhost;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;

/** Emits for each tuple the version of the graph that it works by, which it must have been told of. */
public final class Follows implements Program {
    private final Set<String> known = new ConcurrentSkipListSet<>();

    public static void main(String[] args) throws Exception {
        Host.run(new Follows());
    }

    @Override
    public void told(String name, byte[] value) {
        if (value.length > 0) {
            known.add(name);
        } else {
            known.remove(name);
        }
    }

    @Override
    public Work work() {
        return new Task();
    }

    private final class Task implements Work {
        private Channel channel;
        private long graph;

        @Override
        public void prepare(Channel c) throws Exception {
            channel = c;
            follow(c.graph());
        }

        @Override
        public void follow(long version) throws Exception {
            for (int tries = 0; !known.contains("version." + version); tries++) { // told beside the channel
                if (tries == 10_000) {
                    throw new IllegalStateException("nothing is known of version " + version + " among " + known);
                }
                Thread.sleep(1);
            }
            graph = version;
        }

        @Override
        public void row(long handle, int row, int stream, int source, boolean tracked, Object[] values) throws Exception {
            Tuple t = new Tuple(handle, row, stream, source, List.of(values));
            channel.emit(0, null, List.of(graph), t);
            channel.ack(t);
        }
    }
}
