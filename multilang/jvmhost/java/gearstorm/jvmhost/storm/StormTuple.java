package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Ref;
import java.util.List;
import org.apache.storm.task.GeneralTopologyContext;
import org.apache.storm.tuple.MessageId;
import org.apache.storm.tuple.TupleImpl;

/** An input tuple. Its trees are the Go side's to know. */
final class StormTuple extends TupleImpl implements Ref {
    private static final MessageId UNANCHORED = MessageId.makeUnanchored();

    private final long handle;
    private final int row;

    StormTuple(GeneralTopologyContext context, List<Object> values, String component, int task, String stream, long handle, int row) {
        super(context, values, component, task, stream, UNANCHORED);
        this.handle = handle;
        this.row = row;
    }

    @Override
    public long handle() {
        return handle;
    }

    @Override
    public int row() {
        return row;
    }

    @Override
    public boolean equals(Object o) {
        return this == o;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
