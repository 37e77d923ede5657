package gearstorm.jvmhost;

import java.util.List;

/** One input tuple of a {@link Bolt}. */
public final class Tuple implements Ref {
    private final long handle;
    private final int row;
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

    @Override
    public long handle() {
        return handle;
    }

    @Override
    public int row() {
        return row;
    }
}
