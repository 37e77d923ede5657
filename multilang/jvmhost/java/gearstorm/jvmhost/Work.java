package gearstorm.jvmhost;

/**
 * What one task does. An instance belongs to one channel and is called by its thread only. An exception that comes out of
 * it ends the task: the Go side fails what it held, and has it made anew.
 */
public interface Work {
    /** Is called once, before all others but close. */
    void prepare(Channel channel) throws Exception;

    /** A bolt: executes one tuple. */
    default void row(long handle, int row, int stream, int source, Object[] values) throws Exception {
        throw new IllegalStateException("a tuple came for something that is no bolt");
    }

    /** A spout: emits tuples, in at most so many calls. */
    default void next(int calls) throws Exception {
        throw new IllegalStateException("something that is no spout was asked for tuples");
    }

    /** A spout: the trees of tuples that follow each other have ended. */
    default void ended(boolean acked, long first, int count) throws Exception {
        throw new IllegalStateException("trees ended of something that is no spout");
    }

    /** A spout: the topology was activated or deactivated. */
    default void status(boolean active) throws Exception {
        throw new IllegalStateException("something that is no spout was activated");
    }

    /** Is called at the end, also after an exception. */
    default void close() {}
}
