package gearstorm.jvmhost;

import java.nio.file.Path;

/** What a process does for its channels. */
public interface Program {
    /** Is called once, before the first channel. The directory is that of the socket. */
    default void begin(Path dir) throws Exception {}

    /** Makes the task of a channel, on its thread. */
    Work work() throws Exception;

    /** Is called when the process is told to end and its channels have ended. */
    default void end() {}
}
