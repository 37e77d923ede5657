package gearstorm.jvmhost.storm;

import java.lang.reflect.Field;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.storm.state.State;
import org.apache.storm.task.IBolt;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.IStatefulBolt;
import org.apache.storm.topology.PersistentWindowedBoltExecutor;
import org.apache.storm.topology.StatefulBoltExecutor;
import org.apache.storm.topology.StatefulWindowedBoltExecutor;
import org.apache.storm.tuple.Tuple;

/**
 * A bolt with a state in a topology with checkpoints of the engine's. It takes the place of Storm's executor of such bolts, which waits for
 * the tuples of Storm's own checkpoints and keeps back acks until they come: here the state is handed over when the engine asks, and
 * acks go out at once, since after a failure all begins again at a checkpoint.
 */
final class StatefulBolt implements IBolt {
    private final Component c;
    private final IStatefulBolt<State> bolt;
    private Entries entries;
    private final Set<Long> frozen = new HashSet<>(); // checkpoints that the state was handed over for and that do not count yet

    private StatefulBolt(Component c, IStatefulBolt<State> bolt) {
        this.c = c;
        this.bolt = bolt;
    }

    /** The bolt in Storm's executor of such bolts; null if made is no such executor. */
    static StatefulBolt of(Component c, IBolt made) {
        if (!(made instanceof StatefulBoltExecutor<?>)) {
            return null;
        }
        IStatefulBolt<State> inner = inner(made);
        if (inner instanceof PersistentWindowedBoltExecutor<?> || inner instanceof StatefulWindowedBoltExecutor<?>) {
            throw new IllegalStateException("component " + c.name + " has windows with a state of Storm's, whose tuples would be in no checkpoint:"
                + " set gearstorm.checkpoint.interval.ms to 0, or write it in Go (storm.StatefulWindowed)");
        }
        return new StatefulBolt(c, inner);
    }

    @SuppressWarnings("unchecked")
    private static IStatefulBolt<State> inner(IBolt executor) {
        try {
            Field f = StatefulBoltExecutor.class.getDeclaredField("bolt");
            f.setAccessible(true);
            return (IStatefulBolt<State>) f.get(executor);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this release of Storm keeps the bolt of a StatefulBoltExecutor elsewhere", e);
        }
    }

    /** What the state holds at the beginning; null: nothing. Called before prepare. */
    void begin(byte[] saved) {
        entries = new Entries(c.conf, c.context);
        if (saved != null) {
            entries.read(saved);
        }
    }

    @Override
    public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        bolt.prepare(conf, context, collector);
        bolt.initState(entries.state);
    }

    @Override
    public void execute(Tuple t) {
        bolt.execute(t);
    }

    @Override
    public void cleanup() {
        bolt.cleanup();
    }

    /** The first half of Storm's transaction: the state as bytes. */
    byte[] freeze(long epoch) {
        bolt.prePrepare(epoch);
        byte[] saved = entries.write();
        frozen.add(epoch);
        return saved;
    }

    /** The second half. An exception is told, as by Storm, and changes nothing: the checkpoint counts. */
    void commit(long epoch) {
        boolean ours = frozen.remove(epoch);
        frozen.removeIf(e -> e < epoch); // some of them were given up
        if (!ours) {
            return; // it was told before, or is of a process before this one
        }
        try {
            bolt.preCommit(epoch);
        } catch (RuntimeException e) {
            c.reportError(e);
        }
    }
}
