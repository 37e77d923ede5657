package gearstorm.jvmhost;

/**
 * What one task does. An instance belongs to one channel and is called by its thread only. An exception that comes out of
 * it ends the task: the Go side fails what it held, and has it made anew.
 */
public interface Work {
    /** Is called once, before all others but close. */
    void prepare(Channel channel) throws Exception;

    /** A bolt: executes one tuple. It may belong to trees if it is tracked. */
    default void row(long handle, int row, int stream, int source, boolean tracked, Object[] values) throws Exception {
        throw new IllegalStateException("a tuple came for something that is no bolt");
    }

    /** A bolt: executes what came from another task of the process, from the place that the parcel names on. */
    default void parcel(Parcel p) throws Exception {
        throw new IllegalStateException("a tuple came for something that is no bolt");
    }

    /** A spout: emits tuples, in at most so many calls; says whether it did. */
    default boolean next(int calls) throws Exception {
        throw new IllegalStateException("something that is no spout was asked for tuples");
    }

    /** A spout: whether it may be asked for tuples now. */
    default boolean ready() {
        return true;
    }

    /** Does what other threads have left to the task's thread; false if that is nothing. */
    default boolean step() throws Exception {
        return false;
    }

    /** Whether step or a call of nextTuple has something to do. */
    default boolean waiting() {
        return false;
    }

    /** Is called after every piece of work. */
    default void worked() {}

    /** Whether there are tuples that did not pass the Go side and have not ended. */
    default boolean holding() {
        return false;
    }

    /** A spout: the trees of tuples that follow each other have ended. */
    default void ended(boolean acked, long first, int count) throws Exception {
        throw new IllegalStateException("trees ended of something that is no spout");
    }

    /** A spout: the topology was activated or deactivated. */
    default void status(boolean active) throws Exception {
        throw new IllegalStateException("something that is no spout was activated");
    }

    /** A bolt: whether it keeps something that belongs into checkpoints. Asked once it is prepared. */
    default boolean keeps() {
        return false;
    }

    /** A bolt that keeps something: what that is now, for a checkpoint. It holds no tuples then. */
    default byte[] freeze(long epoch) throws Exception {
        throw new IllegalStateException("something that keeps nothing was asked for it");
    }

    /** A bolt that keeps something: a checkpoint and all before it count. It may be told late, more than once, or not at all. */
    default void commit(long epoch) throws Exception {}

    /** From now on it works by that version of the graph. Called while no code of the task runs, and nothing waits that it has emitted. */
    default void follow(long graph) throws Exception {}

    /** Is called at the end, also after an exception. */
    default void close() {}
}
