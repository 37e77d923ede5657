package golden;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.storm.Config;
import org.apache.storm.daemon.StormCommon;
import org.apache.storm.generated.Bolt;
import org.apache.storm.generated.ComponentCommon;
import org.apache.storm.generated.ComponentObject;
import org.apache.storm.generated.GlobalStreamId;
import org.apache.storm.generated.Grouping;
import org.apache.storm.generated.SpoutSpec;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.shade.net.minidev.json.JSONValue;
import org.apache.storm.spout.ShellSpout;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.IRichSpout;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.utils.Utils;

/** Writes the topologies beside this file as Storm's own code makes them; see README. */
public class Goldens {
    public static class Spout extends ShellSpout implements IRichSpout {
        public Spout() {
            super("python3", "spout.py");
        }

        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word", "count"));
            d.declareStream("picked", true, new Fields("word"));
        }

        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    public static class Work extends ShellBolt implements IRichBolt {
        public Work() {
            super("python3", "work.py", "--more");
        }

        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word"));
        }

        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    static StormTopology build() {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("words", new Spout(), 2).addConfiguration("topology.tick.tuple.freq.secs", 7);
        b.setSpout("Zoo", new Spout());
        b.setBolt("split", new Work(), 3).shuffleGrouping("words").localOrShuffleGrouping("Zoo");
        b.setBolt("count", new Work(), 2).setNumTasks(6).fieldsGrouping("split", new Fields("word")).fieldsGrouping("count", new Fields("word"));
        b.setBolt("sink", new Work()).globalGrouping("count").allGrouping("split").noneGrouping("Zoo")
            .directGrouping("words", "picked").partialKeyGrouping("words", new Fields("word"))
            .addConfiguration("own.key", Arrays.asList(1, 2.0, "x"));
        return b.createTopology();
    }

    static Map<String, Object> common(ComponentCommon c) {
        Map<String, Object> out = new TreeMap<>();
        List<Object> inputs = new ArrayList<>();
        List<GlobalStreamId> ids = new ArrayList<>(c.get_inputs().keySet());
        ids.sort(null);
        for (GlobalStreamId id : ids) {
            Map<String, Object> key = new TreeMap<>();
            key.put("componentId", id.get_componentId());
            key.put("streamId", id.get_streamId());
            Grouping g = c.get_inputs().get(id);
            Map<String, Object> value = new TreeMap<>();
            String name = g.getSetField().getFieldName();
            if (name.equals("fields")) {
                value.put(name, g.get_fields());
            } else if (name.equals("custom_serialized")) {
                value.put(name, Base64.getEncoder().encodeToString(g.get_custom_serialized()));
            } else {
                value.put(name, new TreeMap<>());
            }
            Map<String, Object> entry = new TreeMap<>();
            entry.put("Key", key);
            entry.put("Value", value);
            inputs.add(entry);
        }
        out.put("inputs", inputs);
        Map<String, Object> streams = new TreeMap<>();
        c.get_streams().forEach((id, info) -> {
            Map<String, Object> s = new TreeMap<>();
            s.put("output_fields", info.get_output_fields());
            s.put("direct", info.is_direct());
            streams.put(id, s);
        });
        out.put("streams", streams);
        if (c.is_set_parallelism_hint()) {
            out.put("parallelism_hint", c.get_parallelism_hint());
        }
        if (c.is_set_json_conf()) {
            out.put("json_conf", c.get_json_conf());
        }
        return out;
    }

    static Map<String, Object> object(ComponentObject o) {
        Map<String, Object> out = new TreeMap<>();
        out.put("serialized_java", Base64.getEncoder().encodeToString(o.get_serialized_java()));
        return out;
    }

    static void write(Path file, StormTopology t) throws Exception {
        Map<String, Object> spouts = new TreeMap<>();
        for (Map.Entry<String, SpoutSpec> e : t.get_spouts().entrySet()) {
            Map<String, Object> m = new TreeMap<>();
            m.put("spout_object", object(e.getValue().get_spout_object()));
            m.put("common", common(e.getValue().get_common()));
            spouts.put(e.getKey(), m);
        }
        Map<String, Object> bolts = new TreeMap<>();
        for (Map.Entry<String, Bolt> e : t.get_bolts().entrySet()) {
            Map<String, Object> m = new TreeMap<>();
            m.put("bolt_object", object(e.getValue().get_bolt_object()));
            m.put("common", common(e.getValue().get_common()));
            bolts.put(e.getKey(), m);
        }
        Map<String, Object> out = new TreeMap<>();
        out.put("spouts", spouts);
        out.put("bolts", bolts);
        out.put("state_spouts", new TreeMap<>());
        Files.write(file, JSONValue.toJSONString(out).getBytes(StandardCharsets.UTF_8));
    }

    /** What Nimbus does to json_conf before it numbers tasks. */
    static void setTasks(ComponentCommon c, Map<String, Object> conf) throws Exception {
        Map<String, Object> own = c.is_set_json_conf()
            ? (Map<String, Object>) JSONValue.parseWithException(c.get_json_conf()) : new TreeMap<>();
        int hint = c.is_set_parallelism_hint() ? c.get_parallelism_hint() : 1;
        int n = ((Number) own.getOrDefault("topology.tasks", hint)).intValue();
        Number most = (Number) conf.get("topology.max.task.parallelism");
        own.put("topology.tasks", most == null ? n : Math.min(n, most.intValue()));
        c.set_json_conf(JSONValue.toJSONString(own));
    }

    static void system(Path dir, String name, Map<String, Object> extra) throws Exception {
        Map<String, Object> conf = Utils.readDefaultConfig();
        conf.putAll(extra);
        StormTopology t = build();
        for (SpoutSpec s : t.get_spouts().values()) {
            setTasks(s.get_common(), conf);
        }
        for (Bolt b : t.get_bolts().values()) {
            setTasks(b.get_common(), conf);
        }
        write(dir.resolve(name + ".json"), StormCommon.systemTopology(conf, t));
        Files.write(dir.resolve(name + "-tasks.json"),
            JSONValue.toJSONString(new TreeMap<>(StormCommon.stormTaskInfo(t, conf))).getBytes(StandardCharsets.UTF_8));
        Files.write(dir.resolve(name + "-conf.json"), JSONValue.toJSONString(extra).getBytes(StandardCharsets.UTF_8));
    }

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        write(dir.resolve("user.json"), build());
        Map<String, Object> conf = new TreeMap<>();
        system(dir, "system", conf);
        conf.put("topology.workers", 3);
        conf.put("topology.max.task.parallelism", 4);
        conf.put("topology.message.timeout.secs", 90);
        system(dir, "capped", conf);
        conf.put("topology.acker.executors", 0);
        conf.put("topology.eventlogger.executors", 2);
        Config consumers = new Config();
        consumers.registerMetricsConsumer(org.apache.storm.metric.LoggingMetricsConsumer.class, 2);
        consumers.registerMetricsConsumer(org.apache.storm.metric.LoggingMetricsConsumer.class, "x", 1);
        conf.put("topology.metrics.consumer.register", consumers.get("topology.metrics.consumer.register"));
        system(dir, "extras", conf);
    }
}
