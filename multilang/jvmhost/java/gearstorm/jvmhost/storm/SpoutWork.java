package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Counts;
import gearstorm.jvmhost.Numbered;
import gearstorm.jvmhost.Work;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.List;
import org.apache.storm.Config;
import org.apache.storm.hooks.info.SpoutAckInfo;
import org.apache.storm.hooks.info.SpoutFailInfo;
import org.apache.storm.spout.ISpout;
import org.apache.storm.spout.ISpoutOutputCollector;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.utils.ObjectReader;

/**
 * A spout. Its message ids stay here. The Go side has the trees of tuples that go to no task of this process, and knows them by
 * number; those of the others are kept here (Root), with their timeouts.
 */
final class SpoutWork implements Work, ISpoutOutputCollector {
    private static final long AT_ONCE_NANOS = 1_000_000; // acks may wait
    private static final long SLOW_NANOS = 20_000; // faster calls are timed in groups
    private static final int GROUP = 16;
    private static final int AT_ONCE = 256; // message ids that are looked up in one go

    private final Component c;
    private final Channel channel;
    private final ISpout spout;
    private final Counts counts;
    private final int mostPending; // 0: any number
    long emitted; // guarded by the pen

    private final Numbered pending = new Numbered(); // of Go's trees: ids, or Sent; guarded by itself
    private volatile int nPending;

    private final Roots roots;
    private final ArrayDeque<Object> done = new ArrayDeque<>(); // ids of tuples that nobody tracks; guarded by the pen

    /** A tuple whose end metrics tell of. */
    private record Sent(Object id, int stream, long began) {}

    SpoutWork(Component c) {
        this.c = c;
        this.channel = c.channel;
        this.counts = c.counts;
        this.roots = new Roots(channel);
        if (!(c.object instanceof ISpout s)) {
            throw new IllegalStateException("component " + c.name + " is a " + c.object.getClass().getName() + ", which is no spout");
        }
        spout = s;
        Integer most = ObjectReader.getInt(c.conf.get(Config.TOPOLOGY_MAX_SPOUT_PENDING), 0);
        mostPending = c.tracked() ? most : 0;
    }

    @Override
    public void prepare(Channel ch) {
        spout.open(c.conf, c.context, new SpoutOutputCollector(this));
        c.worker.spouts.add(this);
        c.prepared();
        c.everyTimeout(this::rotate);
    }

    @Override
    public boolean ready() {
        return mostPending <= 0 || roots.size() + nPending < mostPending;
    }

    @Override
    public boolean next(int calls) {
        long start = System.nanoTime();
        long last = start;
        int untimed = 1;
        long first = emitted;
        do {
            long before = emitted;
            spout.nextTuple();
            boolean idle = emitted == before;
            ackDone(); // there may be some that another thread has emitted
            if (idle) {
                break;
            }
            if (--untimed == 0) {
                long now = System.nanoTime();
                if (now - start >= AT_ONCE_NANOS) {
                    break;
                }
                untimed = now - last < SLOW_NANOS ? GROUP : 1;
                last = now;
            }
        } while (--calls > 0 && ready());
        return emitted != first;
    }

    /** Acks what nobody tracks. */
    private void ackDone() {
        while (!done.isEmpty()) {
            Object id;
            channel.edges.pen.lock();
            try {
                id = done.poll();
            } finally {
                channel.edges.pen.unlock();
            }
            if (id != null) {
                ended(true, id);
            }
        }
    }

    @Override
    public void ended(boolean acked, long first, int count) {
        Object[] ids = new Object[Math.min(count, AT_ONCE)];
        for (int heard = 0; heard < count; heard += ids.length) {
            int n = Math.min(count - heard, ids.length);
            synchronized (pending) {
                for (int i = 0; i < n; i++) {
                    ids[i] = pending.take(first + heard + i);
                }
                nPending = pending.size();
            }
            for (int i = 0; i < n; i++) {
                Object id = ids[i];
                if (id instanceof Sent s) {
                    c.builtIns.settled(s.stream, acked, System.nanoTime() - s.began);
                    id = s.id;
                }
                if (id != null) {
                    ended(acked, id);
                }
            }
        }
    }

    private void ended(boolean acked, Object id) {
        if (acked) {
            spout.ack(id);
        } else {
            spout.fail(id);
        }
        if (!c.hooked()) {
            return;
        }
        if (acked) {
            new SpoutAckInfo(id, c.task, null).applyOn(c.context);
        } else {
            new SpoutFailInfo(id, c.task, null).applyOn(c.context);
        }
    }

    /** Begins the tree of a tuple that is sent; null if nobody tracks it. Called with the pen. */
    Root root(Object id, Routes.Stream stream) {
        if (!c.tracked()) {
            stream.untracked++;
            done.add(id);
            return null;
        }
        return roots.begin(id, stream.id);
    }

    /** Wakes the spout if trees of it have ended. */
    void wake() {
        if (roots.anyEnded()) {
            channel.signal();
        }
    }

    @Override
    public boolean waiting() {
        return roots.waiting();
    }

    @Override
    public boolean step() {
        Root first = roots.take();
        if (first == null) {
            return false;
        }
        tell(first);
        return true;
    }

    private void tell(Root first) {
        long now = System.nanoTime();
        int stream = -1;
        int n = 0;
        for (Root r = first; r != null; r = r.next) {
            if (!r.isAcked()) {
                counts.failed(r.stream, 1);
            } else {
                if (r.stream != stream) {
                    acked(stream, n);
                    stream = r.stream;
                    n = 0;
                }
                n++;
                counts.took(r.stream, now - r.began);
            }
            ended(r.isAcked(), r.id);
        }
        acked(stream, n);
    }

    private void acked(int stream, int n) {
        if (n > 0) {
            counts.acked(stream, n);
        }
    }

    /** Says that a message timeout is over. Called once in each, by another thread. */
    private void rotate() {
        channel.rotateExports();
        roots.rotate();
    }

    @Override
    public void worked() {
        c.sender.count();
    }

    @Override
    public boolean holding() {
        return roots.size() > 0;
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
    public void follow(long graph) throws InterruptedException {
        c.follow(graph);
    }

    @Override
    public void close() {
        c.worker.spouts.remove(this);
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
        return c.sender.send(this, stream, -1, values, id);
    }

    @Override
    public void emitDirect(int task, String stream, List<Object> values, Object id) {
        c.sender.send(this, stream, task, values, id);
    }

    /** Sends a tuple whose tree is Go's, if it has one. */
    void send(Routes.Stream s, int[] ids, List<Object> values, Object id) {
        Object kept = c.builtIns == null || s.id < 0 ? id : new Sent(id, s.id, System.nanoTime());
        try {
            if (id == null) {
                channel.emit(s.output, ids, values);
                return;
            }
            synchronized (pending) { // so that no tree ends before its id is known
                if (channel.emitTracked(s.output, ids, values) != 0) { // it numbers them as pending does
                    pending.add(kept);
                    nPending = pending.size();
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public long getPendingCount() {
        return nPending + roots.size();
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
