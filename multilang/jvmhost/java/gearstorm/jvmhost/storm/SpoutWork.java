package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Work;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.storm.hooks.info.SpoutAckInfo;
import org.apache.storm.hooks.info.SpoutFailInfo;
import org.apache.storm.spout.ISpout;
import org.apache.storm.spout.ISpoutOutputCollector;
import org.apache.storm.spout.SpoutOutputCollector;

/** A spout. Its message ids stay here: the Go side knows its tuples by number. */
final class SpoutWork implements Work, ISpoutOutputCollector {
    private static final long AT_ONCE_NANOS = 1_000_000; // acks may wait

    private final Component c;
    private final Channel channel;
    private final ISpout spout;
    private final Map<Long, Object> pending = new HashMap<>(); // guarded by itself
    private final AtomicLong emitted = new AtomicLong();

    SpoutWork(Component c) {
        this.c = c;
        this.channel = c.channel;
        if (!(c.object instanceof ISpout s)) {
            throw new IllegalStateException("component " + c.name + " is a " + c.object.getClass().getName() + ", which is no spout");
        }
        spout = s;
    }

    @Override
    public void prepare(Channel ch) {
        spout.open(c.conf, c.context, new SpoutOutputCollector(this));
        c.prepared();
    }

    @Override
    public void next(int calls) {
        long began = System.nanoTime();
        do {
            long before = emitted.get();
            spout.nextTuple();
            if (emitted.get() == before) {
                return;
            }
        } while (--calls > 0 && System.nanoTime() - began < AT_ONCE_NANOS);
    }

    @Override
    public void ended(boolean acked, long first, int count) {
        for (long n = first; n < first + count; n++) {
            Object id;
            synchronized (pending) {
                id = pending.remove(n);
            }
            if (id == null) {
                continue;
            }
            if (acked) {
                spout.ack(id);
            } else {
                spout.fail(id);
            }
            if (c.hooked()) {
                hook(acked, id);
            }
        }
    }

    private void hook(boolean acked, Object id) {
        if (acked) {
            new SpoutAckInfo(id, c.task, null).applyOn(c.context);
        } else {
            new SpoutFailInfo(id, c.task, null).applyOn(c.context);
        }
    }

    @Override
    public void status(boolean active) {
        if (active) {
            spout.activate();
        } else {
            spout.deactivate();
        }
    }

    @Override
    public void close() {
        try {
            if (c.prepared.get()) {
                spout.close();
            }
        } finally {
            c.close();
        }
    }

    @Override
    public List<Integer> emit(String stream, List<Object> values, Object id) {
        Routes.Stream s = c.routes.stream(stream);
        List<Integer> tasks = c.routes.choose(s, values, c.told());
        send(s, tasks, values, id);
        return tasks;
    }

    @Override
    public void emitDirect(int task, String stream, List<Object> values, Object id) {
        Routes.Stream s = c.routes.stream(stream);
        send(s, c.routes.direct(s, task, values, c.told()), values, id);
    }

    private void send(Routes.Stream s, List<Integer> tasks, List<Object> values, Object id) {
        int[] ids = c.routes.ids(tasks);
        emitted.incrementAndGet();
        try {
            if (id == null) {
                channel.emit(s.output, ids, values);
                return;
            }
            synchronized (pending) { // so that no tree ends before its id is known
                pending.put(channel.emitTracked(s.output, ids, values), id);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public long getPendingCount() {
        synchronized (pending) {
            return pending.size();
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
