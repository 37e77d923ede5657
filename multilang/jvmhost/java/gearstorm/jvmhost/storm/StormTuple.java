package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Ref;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import org.apache.storm.task.GeneralTopologyContext;
import org.apache.storm.tuple.MessageId;
import org.apache.storm.tuple.TupleImpl;

/** An input tuple. It came over the channel and has a handle, or from a task of this process and has none. */
final class StormTuple extends TupleImpl implements Ref {
    private static final MessageId UNANCHORED = MessageId.makeUnanchored();
    private static final Object SETTLED = new Object();
    private static final VarHandle TREES;

    static {
        try {
            TREES = MethodHandles.lookup().findVarHandle(StormTuple.class, "trees", Object.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final Channel channel; // it came over; null if it is of this process
    private final long handle;
    private final int row;
    final int stream; // by the number that Go counts by
    private final boolean tracked; // it came over the channel and belongs to trees there
    private volatile Object trees; // those it holds (see Tree), or SETTLED
    long began; // when it was executed, of samples and of those whose task has metrics; else 0

    /** A tuple that came over the channel. */
    StormTuple(Component c, List<Object> values, Versions.Stream from, int task, int stream, long handle, int row, boolean tracked) {
        super(from.context(), values, from.component(), task, from.stream(), UNANCHORED);
        this.channel = c.channel;
        this.handle = handle;
        this.row = row;
        this.stream = stream;
        this.tracked = tracked;
    }

    /** A tuple for a task of this process. It holds trees. */
    StormTuple(GeneralTopologyContext context, List<Object> values, String component, int task, String name, int stream, Object trees) {
        super(context, values, component, task, name, UNANCHORED);
        this.channel = null;
        this.handle = 0;
        this.row = 0;
        this.stream = stream;
        this.tracked = false;
        if (trees != null) {
            TREES.set(this, trees); // nobody else sees it yet
        }
    }

    @Override
    public long handle() {
        return handle;
    }

    @Override
    public int row() {
        return row;
    }

    boolean hasTrees() {
        return trees != null;
    }

    /** The trees that tuples join that are anchored to this one; null once it is settled. */
    Object trees() {
        Object t = trees;
        if (t == null && tracked) {
            GoTree g = new GoTree(channel, this);
            t = TREES.compareAndSet(this, null, g) ? g : trees;
        }
        return t == SETTLED ? null : t;
    }

    /** Takes the trees that the tuple held; this itself if it was settled before. */
    Object settle() {
        Object t = TREES.getAndSet(this, SETTLED);
        return t == SETTLED ? this : t;
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
