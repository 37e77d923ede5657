package golden;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.storm.Config;
import org.apache.storm.flux.FluxBuilder;
import org.apache.storm.flux.model.ExecutionContext;
import org.apache.storm.flux.model.TopologyDef;
import org.apache.storm.flux.parser.FluxParser;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.shade.net.minidev.json.JSONValue;

/** Writes what Storm's own Flux makes of all.yaml; see README. Uses Goldens.write of compat/testdata. */
public class FluxGolden {
    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        Properties p = FluxParser.parseProperties(dir.resolve("all.properties").toString(), false);
        TopologyDef def = FluxParser.parseFile(dir.resolve("all.yaml").toString(), false, true, p, true);
        Config conf = FluxBuilder.buildConfig(def);
        StormTopology t = FluxBuilder.buildTopology(new ExecutionContext(def, conf));
        Goldens.write(dir.resolve("all.storm.json"), t);
        Map<String, Object> named = new TreeMap<>(conf);
        named.put("topology.name", def.getName());
        Files.write(dir.resolve("all.storm-conf.json"), JSONValue.toJSONString(named).getBytes(StandardCharsets.UTF_8));
    }
}
