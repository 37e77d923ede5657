package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Host;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.utils.Utils;

/** What the Go side tells of the topology and the worker: the file that it puts beside the socket. */
record Setup(
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
    List<Integer> workerTasks,
    List<StreamId> streams) {

    /** A stream by its place in the list that tuples name it by. */
    record StreamId(String component, String stream) {}

    static Setup read(Path file) throws IOException {
        Map<?, ?> m = (Map<?, ?>) Host.decode(Files.readAllBytes(file));
        Map<Integer, String> tasks = new HashMap<>();
        ((Map<?, ?>) m.get("tasks")).forEach((id, component) -> tasks.put(((Number) id).intValue(), (String) component));
        List<StreamId> streams = new ArrayList<>();
        for (Object s : (List<?>) m.get("streams")) {
            List<?> names = (List<?>) s;
            streams.add(new StreamId((String) names.get(0), (String) names.get(1)));
        }
        Map<String, Map<String, Object>> componentConf = new HashMap<>();
        json(m.get("componentConf")).forEach((component, own) -> componentConf.put(component, map(own)));
        return new Setup(
            (String) m.get("topologyId"), (String) m.get("assignmentId"), (String) m.get("host"), ((Number) m.get("port")).intValue(),
            (String) m.get("codeDir"), (String) m.get("pidDir"), topology(m.get("system")), topology(m.get("user")),
            json(m.get("conf")), componentConf, tasks, ids(m.get("workerTasks")), streams);
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
