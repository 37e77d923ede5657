package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Counts;
import gearstorm.jvmhost.Parcel;
import gearstorm.jvmhost.Tree;
import gearstorm.jvmhost.Work;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.apache.storm.hooks.info.BoltAckInfo;
import org.apache.storm.hooks.info.BoltExecuteInfo;
import org.apache.storm.hooks.info.BoltFailInfo;
import org.apache.storm.task.IBolt;
import org.apache.storm.task.IOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.tuple.Tuple;

/** A bolt. It may emit and settle on any thread, as windowed bolts do. */
final class BoltWork implements Work, IOutputCollector {
    private static final int SAMPLE = 31; // of the tuples from this process, the first and one in each so many more is timed until it is acked

    private final Component c;
    private final Channel channel;
    private final IBolt bolt;
    private final StatefulBolt stateful; // bolt, if its state belongs into checkpoints; else null
    private final Counts counts;

    private Thread thread; // the channel's
    // Of it: how many tuples from this process it acked on one stream and did not count yet, how many that hold trees it has
    // executed, and settled.
    private int ackedStream;
    private int acked;
    private long took;
    private int seen; // tuples of parcels
    private long gave;
    private final LongAdder gaveElsewhere = new LongAdder(); // by other threads

    BoltWork(Component c) {
        this.c = c;
        this.channel = c.channel;
        this.counts = c.counts;
        if (!(c.object instanceof IBolt b)) {
            throw new IllegalStateException("component " + c.name + " is a " + c.object.getClass().getName() + ", which is no bolt");
        }
        stateful = c.worker.checkpoints() ? StatefulBolt.of(c, b) : null;
        bolt = stateful == null ? b : stateful;
    }

    @Override
    public void prepare(Channel ch) {
        thread = Thread.currentThread();
        byte[] state = ch.takeState();
        if (stateful != null) { // else the Go side says that it does not fit
            stateful.begin(state);
        }
        bolt.prepare(c.conf, c.context, new OutputCollector(this));
        c.prepared();
        c.everyTimeout(channel::rotateExports);
    }

    @Override
    public void row(long handle, int row, int stream, int source, boolean tracked, Object[] values) {
        Versions.Stream from = c.worker.versions.stream(stream);
        StormTuple t = new StormTuple(c, Arrays.asList(values), from, source, stream, handle, row, tracked);
        if (c.builtIns == null) {
            execute(t);
            return;
        }
        t.began = System.nanoTime();
        execute(t);
        c.builtIns.executed(stream, 1, System.nanoTime() - t.began);
    }

    private void execute(StormTuple t) {
        if (!c.hooked()) {
            bolt.execute(t);
            return;
        }
        long began = System.currentTimeMillis();
        bolt.execute(t);
        new BoltExecuteInfo(t, c.task, System.currentTimeMillis() - began).applyOn(c.context);
    }

    @Override
    public void parcel(Parcel p) {
        long began = System.nanoTime();
        StormTuple t = null;
        int stream = -1;
        int n = 0;
        try {
            while (p.at < p.n) {
                t = (StormTuple) p.rows[p.at];
                p.rows[p.at++] = null;
                if (t.stream != stream) {
                    began = executed(stream, n, began);
                    stream = t.stream;
                    n = 0;
                }
                if ((seen++ & SAMPLE) == 0) {
                    t.began = System.nanoTime();
                }
                if (t.hasTrees()) {
                    took++;
                }
                n++;
                c.watch.enter();
                execute(t);
                c.watch.leave();
            }
        } catch (Throwable e) {
            drop(t);
            throw e;
        } finally {
            executed(stream, n, began);
            c.worker.wakeSpouts();
        }
    }

    private long executed(int stream, int n, long began) {
        long now = System.nanoTime();
        if (n > 0) {
            counts.executed(stream, n, now - began);
        }
        return now;
    }

    /** Fails a tuple that nobody will settle. */
    static void drop(Object tuple) {
        Object trees = ((StormTuple) tuple).settle();
        if (trees != tuple) {
            Tree.fail(trees);
        }
    }

    private void countAcks() {
        if (acked > 0) {
            counts.acked(ackedStream, acked);
            acked = 0;
        }
    }

    @Override
    public void worked() {
        countAcks();
        c.sender.count();
    }

    @Override
    public boolean holding() {
        return took - gave - gaveElsewhere.sum() > 0;
    }

    @Override
    public boolean keeps() {
        return stateful != null;
    }

    @Override
    public byte[] freeze(long epoch) {
        return stateful.freeze(epoch);
    }

    @Override
    public void commit(long epoch) {
        stateful.commit(epoch);
    }

    @Override
    public void follow(long graph) throws InterruptedException {
        c.follow(graph);
    }

    @Override
    public void close() {
        try {
            if (c.prepared.get()) {
                bolt.cleanup();
            }
        } finally {
            c.close();
        }
    }

    @Override
    public List<Integer> emit(String stream, Collection<Tuple> anchors, List<Object> values) {
        return c.sender.send(stream, -1, anchors, values);
    }

    @Override
    public void emitDirect(int task, String stream, Collection<Tuple> anchors, List<Object> values) {
        c.sender.send(stream, task, anchors, values);
    }

    @Override
    public void ack(Tuple t) {
        if (t instanceof StormTuple s) {
            settle(s, true);
        }
        if (c.hooked()) {
            new BoltAckInfo(t, c.task, null).applyOn(c.context);
        }
    }

    @Override
    public void fail(Tuple t) {
        if (t instanceof StormTuple s) {
            settle(s, false);
        }
        if (c.hooked()) {
            new BoltFailInfo(t, c.task, null).applyOn(c.context);
        }
    }

    private void settle(StormTuple t, boolean ack) {
        Object trees = t.settle();
        if (trees == t) {
            return; // it was settled before
        }
        if (t.channel == null) {
            count(t, ack, trees != null);
        } else if (c.builtIns != null && t.channel == channel) {
            c.builtIns.settled(t.stream, ack, System.nanoTime() - t.began);
        }
        if (trees == null && t.channel != null) { // another task's, where it came as a value of a tuple
            if (ack) {
                t.channel.ack(t);
            } else {
                t.channel.fail(t);
            }
        } else if (ack) {
            Tree.release(trees);
        } else {
            Tree.fail(trees);
        }
    }

    private void count(StormTuple t, boolean ack, boolean held) {
        boolean own = Thread.currentThread() == thread;
        if (held && own) {
            gave++;
        } else if (held) {
            gaveElsewhere.increment();
        }
        if (!ack) {
            counts.failed(t.stream, 1);
            return;
        }
        if (t.began != 0) {
            counts.took(t.stream, System.nanoTime() - t.began);
        }
        if (!own) {
            counts.acked(t.stream, 1);
            return;
        }
        if (t.stream != ackedStream) {
            countAcks();
            ackedStream = t.stream;
        }
        acked++;
    }

    @Override
    public void resetTimeout(Tuple t) {
        if (t instanceof StormTuple s) {
            Tree.reset(s.trees());
        }
    }

    @Override
    public void flush() {
        c.flush();
    }

    @Override
    public void reportError(Throwable error) {
        c.reportError(error);
    }
}
