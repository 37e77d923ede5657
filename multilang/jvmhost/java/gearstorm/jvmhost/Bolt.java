package gearstorm.jvmhost;

/** What a bolt does with a tuple. An instance belongs to one channel and is called by its thread only. */
public interface Bolt {
    /** Is called once, before the first tuple. */
    void prepare(Channel channel);

    /** Emits through the channel, and acks or fails the tuple through it, now or later, on this thread. */
    void execute(Tuple tuple) throws Exception;
}
