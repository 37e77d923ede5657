package gearstorm.jvmhost;

import java.nio.file.Path;

/** What a process does for its channels. */
public interface Program {
    /** Is called once, before the first channel. The directory is that of the socket. */
    default void begin(Path dir) throws Exception {}

    /**
     * Is called with each value that the Go side tells by a name: those of the start before begin, later ones when they change.
     * It and begin run on one thread, which no channel waits for.
     */
    default void told(String name, byte[] value) throws Exception {}

    /** Makes the task of a channel, on its thread. */
    Work work() throws Exception;

    /** Is called when the process is told to end and its channels have ended. */
    default void end() {}
}
