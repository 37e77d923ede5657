package gearstorm.jvmhost.flux;

import gearstorm.jvmhost.flux.Definition.Bean;
import gearstorm.jvmhost.flux.Definition.Stream;
import gearstorm.jvmhost.flux.Definition.Vertex;
import java.io.NotSerializableException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.grouping.CustomStreamGrouping;
import org.apache.storm.hooks.IWorkerHook;
import org.apache.storm.topology.BoltDeclarer;
import org.apache.storm.topology.ComponentConfigurationDeclarer;
import org.apache.storm.topology.IBasicBolt;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.IRichSpout;
import org.apache.storm.topology.IStatefulBolt;
import org.apache.storm.topology.IWindowedBolt;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.utils.Utils;

/** Makes the topology of a definition with Storm's own builder, in the order in which Flux does. */
final class Topology {
    private final Definition def;
    private final Maker maker;
    private final TopologyBuilder builder = new TopologyBuilder();
    private final Map<String, Vertex> bolts = new LinkedHashMap<>();
    private final Map<String, Object> made = new HashMap<>();
    private final Map<String, BoltDeclarer> declared = new HashMap<>();

    private Topology(Definition def, Consumer<String> warn) {
        this.def = def;
        this.maker = new Maker(warn);
    }

    static StormTopology of(Definition def, Consumer<String> warn) throws Mistake {
        return new Topology(def, warn).make();
    }

    private StormTopology make() throws Mistake {
        for (Bean b : def.components()) {
            maker.component(b);
        }
        if (def.source() != null) {
            return external();
        }
        for (Vertex v : def.spouts()) {
            IRichSpout spout = v.bean() == null ? new Native.Spout(v) : maker.make(v.bean(), IRichSpout.class, "spout");
            serializable(v, spout);
            told(v.at(), "spout " + v.id(), () -> load(builder.setSpout(v.id(), spout, v.parallelism()), v));
        }
        for (Vertex v : def.bolts()) {
            bolts.put(v.id(), v);
            made.put(v.id(), v.bean() == null ? new Native.Bolt(v) : maker.make(v.bean()));
        }
        for (Stream s : def.streams()) {
            subscribe(s);
        }
        for (Bean b : def.hooks()) {
            builder.addWorkerHook(maker.make(b, IWorkerHook.class, "worker hook"));
        }
        return told(def.at(), "the topology", builder::createTopology);
    }

    private static void load(ComponentConfigurationDeclarer<?> d, Vertex v) {
        if (v.onHeap() > -1 && v.offHeap() > -1) {
            d.setMemoryLoad(v.onHeap(), v.offHeap());
        } else if (v.onHeap() > -1) {
            d.setMemoryLoad(v.onHeap());
        }
        if (v.cpu() > -1) {
            d.setCPULoad(v.cpu());
        }
        if (v.tasks() > -1) {
            d.setNumTasks(v.tasks());
        }
    }

    private void subscribe(Stream s) throws Mistake {
        BoltDeclarer d = declared.get(s.to());
        if (d == null) {
            d = declare(bolts.get(s.to()), made.get(s.to()));
            declared.put(s.to(), d);
        }
        switch (s.grouping()) {
            case "SHUFFLE" -> d.shuffleGrouping(s.from(), s.stream());
            case "FIELDS" -> d.fieldsGrouping(s.from(), s.stream(), new Fields(s.fields()));
            case "ALL" -> d.allGrouping(s.from(), s.stream());
            case "DIRECT" -> d.directGrouping(s.from(), s.stream());
            case "GLOBAL" -> d.globalGrouping(s.from(), s.stream());
            case "LOCAL_OR_SHUFFLE" -> d.localOrShuffleGrouping(s.from(), s.stream());
            case "NONE" -> d.noneGrouping(s.from(), s.stream());
            case "CUSTOM" -> {
                CustomStreamGrouping g = maker.make(s.custom(), CustomStreamGrouping.class, "grouping");
                BoltDeclarer bolt = d;
                told(s.custom().at(), "the grouping", () -> bolt.customGrouping(s.from(), s.stream(), g));
            }
            default -> throw new Mistake(s.at(), "unknown grouping " + s.grouping());
        }
    }

    /** Declares a bolt by the first of Storm's interfaces that Flux looks for. */
    private BoltDeclarer declare(Vertex v, Object o) throws Mistake {
        if (!(o instanceof IRichBolt || o instanceof IBasicBolt || o instanceof IWindowedBolt || o instanceof IStatefulBolt<?>)) {
            throw new Mistake(v.at(), "class " + o.getClass().getName() + " is no bolt");
        }
        serializable(v, o);
        return told(v.at(), "bolt " + v.id(), () -> {
            BoltDeclarer d;
            if (o instanceof IRichBolt b) {
                d = builder.setBolt(v.id(), b, v.parallelism());
            } else if (o instanceof IBasicBolt b) {
                d = builder.setBolt(v.id(), b, v.parallelism());
            } else if (o instanceof IWindowedBolt b) {
                d = builder.setBolt(v.id(), b, v.parallelism());
            } else {
                d = builder.setBolt(v.id(), (IStatefulBolt<?>) o, v.parallelism());
            }
            load(d, v);
            return d;
        });
    }

    private static void serializable(Vertex v, Object o) throws Mistake {
        try {
            Utils.javaSerialize(o);
        } catch (RuntimeException e) {
            Throwable cause = e;
            while (cause.getCause() != null && !(cause instanceof NotSerializableException)) {
                cause = cause.getCause();
            }
            String why = cause instanceof NotSerializableException ? "it holds a " + cause.getMessage() + ", which is not Serializable" : Mistake.told(e);
            throw new Mistake(v.at(), v.id() + " cannot be serialized: " + why);
        }
    }

    /** Asks the class that makes the topology itself, with a Config or another Map. */
    private StormTopology external() throws Mistake {
        Bean b = def.source();
        Object source = maker.make(b);
        String name = source.getClass().getName() + "." + def.sourceMethod();
        Method found = null;
        for (Method m : source.getClass().getMethods()) {
            if (m.getName().equals(def.sourceMethod()) && m.getReturnType() == StormTopology.class && m.getParameterCount() == 1
                && (m.getParameterTypes()[0].isAssignableFrom(Map.class) || m.getParameterTypes()[0].isAssignableFrom(Config.class)) && found == null) {
                found = m;
            }
        }
        if (found == null) {
            throw new Mistake(b.at(), "there is no public method " + name + " that takes a Map or a Config and returns a StormTopology");
        }
        Method method = found;
        Object target = Modifier.isStatic(method.getModifiers()) ? null : source;
        Object conf = def.config();
        if (method.getParameterTypes()[0] == Config.class) {
            Config c = new Config();
            c.putAll(def.config());
            conf = c;
        }
        Object argument = conf;
        Object t = Maker.called(b.at(), name, () -> method.invoke(target, argument));
        if (t == null) {
            throw new Mistake(b.at(), name + " returned null");
        }
        return (StormTopology) t;
    }

    private interface Step<T> {
        T run();
    }

    private static void told(String at, String what, Runnable step) throws Mistake {
        told(at, what, () -> {
            step.run();
            return null;
        });
    }

    /** Runs a step of Storm's builder, which asks components for streams and configuration. */
    private static <T> T told(String at, String what, Step<T> step) throws Mistake {
        try {
            return step.run();
        } catch (RuntimeException | LinkageError e) {
            throw new Mistake(at, what + " cannot be declared: " + Mistake.told(e));
        }
    }
}
