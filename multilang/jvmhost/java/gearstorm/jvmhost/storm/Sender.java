package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Counts;
import gearstorm.jvmhost.Edges;
import gearstorm.jvmhost.Inbox;
import gearstorm.jvmhost.Ref;
import gearstorm.jvmhost.Tree;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.apache.storm.tuple.Tuple;

/**
 * Sends what one task emits: to tasks of this process the tuple itself, to others its values over the channel. Any thread may
 * send.
 */
final class Sender {
    private static final Ref[] NO_ANCHORS = {};
    private static final byte BOUNDED = 1, UNBOUNDED = 2;

    private final Component c;
    private final Channel channel;
    private final Edges edges;
    private final Counts counts;
    private byte[] bounds = {}; // by receiver; guarded by the pen

    Sender(Component c, Counts counts) {
        this.c = c;
        this.channel = c.channel;
        this.edges = c.channel.edges;
        this.counts = counts;
    }

    /** Where a tuple goes. It is guarded by the pen until it is complete. */
    private final class Trip {
        final Routes routes = c.routes;
        final Routes.Stream stream;
        final List<Integer> tasks;
        private final List<Object> values;
        private List<Integer> far; // of tasks, those of other processes, in Go or not running; null: none
        private Inbox full;

        Trip(String stream, int receiver, List<Object> values) {
            this.stream = routes.stream(stream);
            this.values = values;
            tasks = receiver < 0 ? routes.choose(this.stream, values, c.told()) : routes.direct(this.stream, receiver, values, c.told());
        }

        boolean anyNear() {
            for (int i = 0; i < tasks.size(); i++) {
                if (edges.find(tasks.get(i)) != null) {
                    return true;
                }
            }
            return false;
        }

        /** Passes the tuple to who is near. It holds trees once for each of them, beside what it holds already. */
        void near(Object trees) {
            int n = tasks.size();
            for (int i = 0; i < n; i++) {
                int task = tasks.get(i);
                Inbox in = edges.find(task);
                if (in == null) {
                    far(n).add(task);
                } else {
                    hand(task, in, Tree.fork(trees));
                }
            }
            counted(far == null ? n : n - far.size());
        }

        /** Passes the tuple to the only one who gets it. It takes over trees, if that is near. */
        boolean only(Object trees) {
            int task = tasks.get(0);
            Inbox in = edges.find(task);
            if (in == null) {
                return false;
            }
            hand(task, in, trees);
            counted(1);
            return true;
        }

        private void hand(int task, Inbox in, Object trees) {
            edges.add(task, in, new StormTuple(c.version.context, values, c.name, c.task, stream.name, stream.id, trees));
            if (in.isFull() && bounded(task)) {
                full = in;
            }
        }

        private List<Integer> far(int n) {
            return far != null ? far : (far = new ArrayList<>(n));
        }

        private void counted(int near) {
            stream.transferred += near;
            if (near > 0 && far == null) { // else Go counts it
                stream.emitted++;
            }
        }

        /** Tells of the tuple if Go counts it, and waits if there is too much at who is near. Called without the pen. */
        void settle() {
            if (c.builtIns != null && far != null) {
                c.builtIns.emitted(stream.name, far.size());
            }
            if (full != null) {
                edges.flush();
                full.awaitRoom(channel);
            }
        }
    }

    private boolean bounded(int task) {
        if (task >= bounds.length) {
            bounds = Arrays.copyOf(bounds, Math.max(2 * bounds.length, task + 1));
        }
        if (bounds[task] == 0) {
            bounds[task] = c.version.graph.inCycle(c.name, c.version.setup.tasks().get(task)) ? UNBOUNDED : BOUNDED;
        }
        return bounds[task] == BOUNDED;
    }

    /** Sends a bolt's tuple; receiver is negative unless it is sent directly. */
    List<Integer> send(String stream, int receiver, Collection<Tuple> anchors, List<Object> values) {
        Trip t;
        edges.pen.lock();
        try {
            t = new Trip(stream, receiver, values);
            if (t.anyNear()) {
                t.near(c.tracked() ? trees(anchors, true) : null);
            } else {
                t.far = t.tasks;
            }
        } finally {
            edges.pen.unlock();
        }
        t.settle();
        if (t.far != null) {
            far(t, t.far, anchors);
        }
        return t.tasks;
    }

    private void far(Trip t, List<Integer> tasks, Collection<Tuple> anchors) {
        Object trees = c.tracked() ? Tree.fork(trees(anchors, false)) : null;
        try {
            if (trees == null) {
                channel.emit(t.stream.output, t.routes.ids(tasks), t.values, refs(anchors));
            } else {
                export(t, tasks, refs(anchors), trees);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void export(Trip t, List<Integer> tasks, Ref[] refs, Object trees) throws IOException {
        try {
            channel.export(t.stream.output, t.routes.ids(tasks), t.values, refs, trees);
        } catch (RuntimeException | Error e) {
            Tree.release(trees); // it did not leave
            throw e;
        }
    }

    /** The trees that a tuple with those anchors joins; of anchors that came over its own channel only if asked for. */
    private Object trees(Collection<Tuple> anchors, boolean all) {
        if (anchors == null) {
            return null;
        }
        Object trees = null;
        for (Tuple t : anchors) {
            if (t instanceof StormTuple s && (all || s.channel != channel)) {
                trees = Tree.join(trees, s.trees());
            }
        }
        return trees;
    }

    /** Anchors that did not come over this channel (a test's, or restored from a state, or of this process) are none to Go. */
    private Ref[] refs(Collection<Tuple> anchors) {
        if (anchors == null || anchors.isEmpty()) {
            return NO_ANCHORS;
        }
        Ref[] refs = new Ref[anchors.size()];
        int n = 0;
        for (Tuple t : anchors) {
            if (t instanceof StormTuple s && s.channel == channel) {
                refs[n++] = s;
            }
        }
        return n == refs.length ? refs : Arrays.copyOf(refs, n);
    }

    /** Sends a spout's tuple; receiver is negative unless it is sent directly. */
    List<Integer> send(SpoutWork spout, String stream, int receiver, List<Object> values, Object id) {
        Trip t;
        Root root = null;
        boolean near;
        boolean held = false; // root, until all is sent
        edges.pen.lock();
        try {
            t = new Trip(stream, receiver, values);
            near = t.anyNear();
            spout.emitted++;
            if (!near) {
                t.far = t.tasks;
            } else if (id != null) {
                root = spout.root(id, t.stream); // null: nobody tracks it
            }
            held = near && (t.tasks.size() > 1 || !t.only(root));
            if (held) {
                t.near(root);
            }
        } finally {
            edges.pen.unlock();
        }
        t.settle();
        if (!near) {
            spout.send(t.stream, t.routes.ids(t.tasks), values, id);
        } else if (t.far != null) {
            rest(t, root);
        }
        if (held) {
            Tree.release(root);
        }
        return t.tasks;
    }

    private void rest(Trip t, Root root) {
        try {
            if (root == null) {
                channel.emit(t.stream.output, t.routes.ids(t.far), t.values);
                return;
            }
            Object held = Tree.fork(root);
            if (held != null) {
                export(t, t.far, NO_ANCHORS, held);
            } else {
                channel.emit(t.stream.output, t.routes.ids(t.far), t.values);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Counts what was sent since. */
    void count() {
        edges.pen.lock();
        try {
            c.routes.count(counts);
        } finally {
            edges.pen.unlock();
        }
    }

    /** Receivers may be in other cycles now. Called with the pen. */
    void forget() {
        bounds = new byte[0];
    }
}
