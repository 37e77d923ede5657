package gearstorm.jvmhost.storm;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.storm.daemon.StormCommon;
import org.apache.storm.generated.ComponentCommon;
import org.apache.storm.generated.ComponentObject;
import org.apache.storm.generated.SpoutSpec;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.metric.api.IMetric;
import org.apache.storm.task.GeneralTopologyContext;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.task.WorkerTopologyContext;
import org.apache.storm.task.WorkerUserContext;
import org.apache.storm.tuple.Fields;

/** One version of the topology, in the shape that Storm's contexts want it. It does not change. */
final class Version {
    private static final String METRICS = "__metrics_";

    final Setup setup;
    final WorkerTopologyContext context; // over the system topology
    final Graph graph;
    private final Worker worker;
    private final Map<String, List<Integer>> tasksOf = new HashMap<>();
    private final Map<String, Map<String, Fields>> fields = new HashMap<>();
    private final Set<Setup.Declared> declared = new HashSet<>();

    Version(Worker worker, Setup setup) {
        this.worker = worker;
        this.setup = setup;
        setup.tasks().forEach((id, component) -> tasksOf.computeIfAbsent(component, c -> new ArrayList<>()).add(id));
        tasksOf.values().forEach(Collections::sort);
        setup.system().get_spouts().forEach((name, s) -> declare(name, s.get_common()));
        setup.system().get_bolts().forEach((name, b) -> declare(name, b.get_common()));
        context = userContext(setup.system());
        graph = new Graph(this);
    }

    private void declare(String component, ComponentCommon common) {
        tasksOf.putIfAbsent(component, new ArrayList<>());
        Map<String, Fields> streams = new HashMap<>();
        common.get_streams().forEach((stream, info) -> {
            streams.put(stream, new Fields(info.get_output_fields()));
            declared.add(new Setup.Declared(component, stream, info.get_output_fields(), info.is_direct()));
        });
        fields.put(component, streams);
    }

    /** The context of the worker's hooks over the user's topology, or of the engine's own. */
    WorkerUserContext userContext(StormTopology topology) {
        return new WorkerUserContext(topology, setup.conf(), setup.tasks(), tasksOf, fields, setup.topologyId(), setup.codeDir(),
            setup.pidDir(), setup.port(), worker.tasks(), worker.defaultResources, worker.userResources,
            new AtomicReference<>(new HashMap<>()), setup.assignmentId(), new AtomicReference<>(new HashMap<>())) {
            @Override
            public List<Integer> getThisWorkerTasks() {
                return worker.tasks();
            }
        };
    }

    /** The context that a component gets. */
    TopologyContext taskContext(int task, Map<Integer, Map<Integer, Map<String, IMetric>>> registered, AtomicBoolean prepared) {
        return new TopologyContext(setup.user(), setup.conf(), setup.tasks(), tasksOf, fields, new HashMap<>(), setup.topologyId(),
            setup.codeDir(), setup.pidDir(), task, setup.port(), worker.tasks(), worker.defaultResources, worker.userResources,
            new ConcurrentHashMap<>(), registered, prepared, worker.metrics) {
            @Override
            public List<Integer> getThisWorkerTasks() {
                return worker.tasks();
            }
        };
    }

    /** The context of tuples of a stream that the version may not have. */
    GeneralTopologyContext contextOf(Setup.Declared s) {
        if (has(s)) {
            return context;
        }
        Map<String, Map<String, Fields>> only = Map.of(s.component(), Map.of(s.stream(), new Fields(s.fields())));
        return new GeneralTopologyContext(setup.system(), setup.conf(), setup.tasks(), tasksOf, only, setup.topologyId());
    }

    /** Whether a component declares the stream as that says. */
    boolean has(Setup.Declared s) {
        return declared.contains(s);
    }

    /** The topology's conf with the component's own keys. */
    Map<String, Object> conf(String component) {
        Map<String, Object> c = new HashMap<>(setup.conf());
        c.putAll(setup.componentConf().getOrDefault(component, Map.of()));
        return c;
    }

    boolean isSpout(String component) {
        return spout(component) != null;
    }

    private SpoutSpec spout(String component) {
        return setup.system().get_spouts().get(component);
    }

    /** The object of a component as it was submitted. */
    ComponentObject object(String component) {
        if (isSpout(component)) {
            return spout(component).get_spout_object();
        }
        if (component.startsWith(METRICS)) { // Storm makes it, of the topology's conf
            return StormCommon.metricsConsumerBoltSpecs(setup.conf(), setup.user()).get(component).get_bolt_object();
        }
        return setup.system().get_bolts().get(component).get_bolt_object();
    }

    Fields fields(String component, String stream) {
        return fields.get(component).get(stream);
    }
}
