package gearstorm.jvmhost;

import java.util.List;

/** One input tuple. Handle and row are how the Go side knows it. */
public final class Tuple {
    final long handle;
    final int row;
    public final int stream;
    public final int sourceTask;
    public final List<Object> values;

    Tuple(long handle, int row, int stream, int sourceTask, List<Object> values) {
        this.handle = handle;
        this.row = row;
        this.stream = stream;
        this.sourceTask = sourceTask;
        this.values = values;
    }
}
