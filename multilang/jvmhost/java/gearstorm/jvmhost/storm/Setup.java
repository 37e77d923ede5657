package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.utils.Utils;

/** What the Go side tells of the worker and of one version of the topology. */
record Setup(
    long graph,
    String topologyId,
    String assignmentId,
    String host,
    int port,
    String codeDir,
    String pidDir,
    StormTopology system,
    StormTopology user,
    Map<String, Object> conf,
    Map<String, Map<String, Object>> componentConf,
    Map<Integer, String> tasks,
    List<Declared> streams) {

    /** A stream by its place in the list that tuples name it by; all are there that any version of the topology had so far. */
    record Declared(String component, String stream, List<String> fields, boolean direct) {}

    static Setup read(byte[] value) {
        Map<?, ?> m = (Map<?, ?>) Host.decode(value);
        Map<Integer, String> tasks = new HashMap<>();
        ((Map<?, ?>) m.get("tasks")).forEach((id, component) -> tasks.put(((Number) id).intValue(), (String) component));
        List<Declared> streams = new ArrayList<>();
        for (Object s : (List<?>) m.get("streams")) {
            List<?> of = (List<?>) s;
            List<String> fields = new ArrayList<>();
            ((List<?>) of.get(2)).forEach(name -> fields.add((String) name));
            streams.add(new Declared((String) of.get(0), (String) of.get(1), fields, (Boolean) of.get(3)));
        }
        Map<String, Map<String, Object>> componentConf = new HashMap<>();
        json(m.get("componentConf")).forEach((component, own) -> componentConf.put(component, map(own)));
        return new Setup(
            ((Number) m.get("graph")).longValue(), (String) m.get("topologyId"), (String) m.get("assignmentId"), (String) m.get("host"), ((Number) m.get("port")).intValue(),
            (String) m.get("codeDir"), (String) m.get("pidDir"), topology(m.get("system")), topology(m.get("user")),
            json(m.get("conf")), componentConf, tasks, streams);
    }

    /** Reads a list of tasks. */
    static List<Integer> ids(Object list) {
        List<Integer> out = new ArrayList<>();
        for (Object id : (List<?>) list) {
            out.add(((Number) id).intValue());
        }
        return Collections.unmodifiableList(out);
    }

    /** Reads a map of texts. */
    static Map<String, String> texts(byte[] value) {
        Map<String, String> out = new HashMap<>();
        ((Map<?, ?>) Host.decode(value)).forEach((k, v) -> out.put((String) k, (String) v));
        return out;
    }

    private static StormTopology topology(Object bytes) {
        return Utils.thriftDeserialize(StormTopology.class, (byte[]) bytes);
    }

    private static Map<String, Object> json(Object gzipped) {
        return Utils.fromCompressedJsonConf((byte[]) gzipped);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object o) {
        return (Map<String, Object>) o;
    }
}
