package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Ref;
import gearstorm.jvmhost.Work;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.apache.storm.hooks.info.BoltAckInfo;
import org.apache.storm.hooks.info.BoltExecuteInfo;
import org.apache.storm.hooks.info.BoltFailInfo;
import org.apache.storm.task.IBolt;
import org.apache.storm.task.IOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.tuple.Tuple;

/** A bolt. It may emit and settle on any thread, as windowed bolts do. */
final class BoltWork implements Work, IOutputCollector {
    private static final Ref[] NO_ANCHORS = {};

    private final Component c;
    private final Channel channel;
    private final IBolt bolt;

    BoltWork(Component c) {
        this.c = c;
        this.channel = c.channel;
        if (!(c.object instanceof IBolt b)) {
            throw new IllegalStateException("component " + c.name + " is a " + c.object.getClass().getName() + ", which is no bolt");
        }
        bolt = b;
    }

    @Override
    public void prepare(Channel ch) {
        bolt.prepare(c.conf, c.context, new OutputCollector(this));
        c.prepared();
    }

    @Override
    public void row(long handle, int row, int stream, int source, Object[] values) {
        Setup.StreamId from = c.worker.setup.streams().get(stream);
        Tuple t = new StormTuple(c.worker.context, Arrays.asList(values), from.component(), source, from.stream(), handle, row);
        if (!c.hooked()) {
            bolt.execute(t);
            return;
        }
        long began = System.currentTimeMillis();
        bolt.execute(t);
        new BoltExecuteInfo(t, c.task, System.currentTimeMillis() - began).applyOn(c.context);
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
        Routes.Stream s = c.routes.stream(stream);
        List<Integer> tasks = c.routes.choose(s, values, c.told());
        send(s, tasks, anchors, values);
        return tasks;
    }

    @Override
    public void emitDirect(int task, String stream, Collection<Tuple> anchors, List<Object> values) {
        Routes.Stream s = c.routes.stream(stream);
        send(s, c.routes.direct(s, task, values, c.told()), anchors, values);
    }

    private void send(Routes.Stream s, List<Integer> tasks, Collection<Tuple> anchors, List<Object> values) {
        try {
            channel.emit(s.output, c.routes.ids(tasks), values, refs(anchors));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Anchors that did not come over this channel (a test's, or restored from a state) have no tree to join. */
    private static Ref[] refs(Collection<Tuple> anchors) {
        if (anchors == null || anchors.isEmpty()) {
            return NO_ANCHORS;
        }
        Ref[] refs = new Ref[anchors.size()];
        int n = 0;
        for (Tuple t : anchors) {
            if (t instanceof Ref r) {
                refs[n++] = r;
            }
        }
        return n == refs.length ? refs : Arrays.copyOf(refs, n);
    }

    @Override
    public void ack(Tuple t) {
        if (t instanceof Ref r) {
            channel.ack(r);
        }
        if (c.hooked()) {
            new BoltAckInfo(t, c.task, null).applyOn(c.context);
        }
    }

    @Override
    public void fail(Tuple t) {
        if (t instanceof Ref r) {
            channel.fail(r);
        }
        if (c.hooked()) {
            new BoltFailInfo(t, c.task, null).applyOn(c.context);
        }
    }

    @Override
    public void resetTimeout(Tuple t) {
        if (t instanceof Ref r) {
            channel.resetTimeout(r);
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
