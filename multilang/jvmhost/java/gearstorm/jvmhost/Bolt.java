package gearstorm.jvmhost;

import java.util.Arrays;

/** What a bolt does with a tuple. An instance belongs to one channel and is called by its thread only. */
public interface Bolt {
    /** Is called once, before the first tuple. */
    void prepare(Channel channel);

    /** Emits through the channel, and acks or fails the tuple through it, now or later. */
    void execute(Tuple tuple) throws Exception;

    /** Makes a task of a bolt. */
    static Work work(Bolt bolt) {
        return new Work() {
            @Override
            public void prepare(Channel channel) {
                bolt.prepare(channel);
            }

            @Override
            public void row(long handle, int row, int stream, int source, boolean tracked, Object[] values) throws Exception {
                bolt.execute(new Tuple(handle, row, stream, source, Arrays.asList(values)));
            }
        };
    }
}
