package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Counts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.storm.Config;
import org.apache.storm.daemon.GrouperFactory;
import org.apache.storm.generated.GlobalStreamId;
import org.apache.storm.generated.Grouping;
import org.apache.storm.grouping.LoadAwareCustomStreamGrouping;
import org.apache.storm.grouping.LoadMapping;
import org.apache.storm.hooks.info.EmitInfo;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.tuple.Fields;

/**
 * Who gets what one task emits. The groupings are Storm's; shuffles are those without load awareness, since the loads are
 * known to the Go side. Any thread may ask.
 */
final class Routes {
    /** One declared stream. */
    static final class Stream {
        final String name;
        final int id; // that Go counts by
        final int output;
        private final int arity;
        private final Map<String, Way> bySubscriber = new HashMap<>();
        private final List<LoadAwareCustomStreamGrouping> groupings = new ArrayList<>();

        long emitted; // within the process since count; guarded by the pen
        long transferred;
        int untracked; // of them, with an id that nobody tracks

        private Stream(String name, int id, int output, int arity) {
            this.name = name;
            this.id = id;
            this.output = output;
            this.arity = arity;
        }
    }

    /** How a stream goes to one subscriber. */
    private record Way(Grouping rule, List<Integer> tasks, LoadAwareCustomStreamGrouping grouping) {
        boolean is(Grouping r, List<Integer> t) {
            return rule.equals(r) && tasks.equals(t);
        }
    }

    /** A local-or-shuffle grouping: Storm's, made anew when the tasks of the worker change. */
    private static final class Near implements LoadAwareCustomStreamGrouping {
        private final Worker worker;
        private final Supplier<LoadAwareCustomStreamGrouping> make;
        private List<Integer> tasks; // of the worker when it was made
        private LoadAwareCustomStreamGrouping made;

        Near(Worker worker, Supplier<LoadAwareCustomStreamGrouping> make) {
            this.worker = worker;
            this.make = make;
        }

        @Override
        public List<Integer> chooseTasks(int task, List<Object> values) {
            List<Integer> now = worker.tasks();
            if (now != tasks) {
                tasks = now;
                made = make.get();
            }
            return made.chooseTasks(task, values);
        }

        @Override
        public void prepare(WorkerTopologyContext context, GlobalStreamId stream, List<Integer> targets) {
        }

        @Override
        public void refreshLoad(LoadMapping loads) {
        }
    }

    private static final int[] NOBODY = {};

    private final Version version;
    private final int task;
    private final Map<String, Stream> streams = new HashMap<>();
    private Stream last; // that was asked for; only a hint
    private int[][] alone = {}; // by task, one array for each receiver

    /** Those of a version of the topology. Groupings whose receivers are the same as before, if there was a version before, go on. */
    Routes(Worker worker, Version version, String component, int task, Map<String, Object> conf, Channel.Output[] outputs, Routes before) {
        this.version = version;
        this.task = task;
        Map<String, Object> plain = new HashMap<>(conf);
        plain.put(Config.TOPOLOGY_DISABLE_LOADAWARE_MESSAGING, true);
        var targets = version.context.getTargets(component);
        for (int i = 0; i < outputs.length; i++) {
            String name = outputs[i].stream;
            Fields fields = version.fields(component, name);
            Stream s = new Stream(name, version.graph.stream(component, name), i, fields.size());
            targets.getOrDefault(name, Map.of()).forEach((subscriber, rule) -> {
                List<Integer> tasks = version.context.getComponentTasks(subscriber);
                if (!tasks.isEmpty()) {
                    Supplier<LoadAwareCustomStreamGrouping> make =
                        () -> GrouperFactory.mkGrouper(version.context, component, name, fields, rule, tasks, plain);
                    Way was = before == null ? null : before.streams.get(name).bySubscriber.get(subscriber);
                    var g = rule.is_set_local_or_shuffle() ? new Near(worker, make) : was != null && was.is(rule, tasks) ? was.grouping : make.get();
                    s.bySubscriber.put(subscriber, new Way(rule, tasks, g));
                    s.groupings.add(g);
                    tasks.forEach(this::addAlone);
                }
            });
            streams.put(name, s);
        }
    }

    private void addAlone(int receiver) {
        if (receiver >= alone.length) {
            alone = Arrays.copyOf(alone, Math.max(2 * alone.length, receiver + 1));
        }
        alone[receiver] = new int[] {receiver};
    }

    /** Counts what was sent within the process since it was called last. */
    void count(Counts counts) {
        for (Stream s : streams.values()) {
            if (s.transferred > 0) {
                counts.emitted(s.id, (int) s.emitted, (int) s.transferred);
                s.emitted = s.transferred = 0;
                if (s.untracked > 0) {
                    counts.acked(s.id, s.untracked);
                    s.untracked = 0;
                }
            }
        }
    }

    /** Whether the component declares a stream of that name. */
    boolean has(String name) {
        return streams.containsKey(name);
    }

    /** The stream of that name, which the component declares. */
    Stream stream(String name) {
        Stream l = last;
        if (l != null && l.name.equals(name)) {
            return l;
        }
        Stream s = last = streams.get(name);
        if (s == null) {
            throw new IllegalArgumentException("Unknown stream ID: " + name);
        }
        return s;
    }

    /** Asks the groupings who gets a tuple. */
    synchronized List<Integer> choose(Stream s, List<Object> values, TopologyContext hooked) {
        check(s, values);
        List<Integer> tasks = chosen(s, values);
        if (hooked != null) {
            new EmitInfo(values, s.name, task, tasks).applyOn(hooked);
        }
        return tasks;
    }

    private List<Integer> chosen(Stream s, List<Object> values) {
        if (s.groupings.size() == 1) {
            return ask(s.groupings.get(0), values);
        }
        List<Integer> tasks = new ArrayList<>();
        for (LoadAwareCustomStreamGrouping g : s.groupings) {
            tasks.addAll(ask(g, values));
        }
        return tasks;
    }

    private List<Integer> ask(LoadAwareCustomStreamGrouping g, List<Object> values) {
        if (g == GrouperFactory.DIRECT) {
            throw new IllegalArgumentException("Cannot do regular emit to direct stream");
        }
        List<Integer> tasks = g.chooseTasks(task, values);
        return tasks == null ? List.of() : tasks;
    }

    /** Checks a direct emit; nobody gets it where the receiver's component does not subscribe. */
    synchronized List<Integer> direct(Stream s, int receiver, List<Object> values, TopologyContext hooked) {
        check(s, values);
        Way way = s.bySubscriber.get(version.setup.tasks().get(receiver));
        if (way != null && way.grouping != GrouperFactory.DIRECT) {
            throw new IllegalArgumentException("Cannot emitDirect to a task expecting a regular grouping");
        }
        List<Integer> tasks = way == null ? List.of() : Collections.singletonList(receiver);
        if (hooked != null) {
            new EmitInfo(values, s.name, task, tasks).applyOn(hooked);
        }
        return tasks;
    }

    private static void check(Stream s, List<Object> values) {
        if (values.size() != s.arity) {
            throw new IllegalArgumentException("Tuple created with wrong number of fields. Expected " + s.arity + " fields but got "
                + values.size() + " fields");
        }
    }

    /** The tasks as the channel wants them; arrays are shared. */
    int[] ids(List<Integer> tasks) {
        int n = tasks.size();
        if (n == 0) {
            return NOBODY;
        }
        int first = tasks.get(0);
        if (n == 1 && first >= 0 && first < alone.length && alone[first] != null) {
            return alone[first];
        }
        int[] ids = new int[n];
        for (int i = 0; i < n; i++) {
            ids[i] = tasks.get(i);
        }
        return ids;
    }
}
