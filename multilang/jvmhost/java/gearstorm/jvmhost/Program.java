package gearstorm.jvmhost;

/** What a process does for its channels. */
public interface Program {
    /** Is called once, before the first channel. */
    default void begin() throws Exception {}

    /**
     * Is called with each value that the Go side tells by a name: those of the start before begin, later ones when they change. An
     * empty one is to be forgotten.
     * It and begin run on one thread, which no channel waits for.
     */
    default void told(String name, byte[] value) throws Exception {}

    /** Makes the task of a channel, on its thread. */
    Work work() throws Exception;

    /** Is called when the process is told to end and its channels have ended. */
    default void end() {}
}
