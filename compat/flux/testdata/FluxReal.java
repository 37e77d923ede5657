import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.storm.Config;
import org.apache.storm.flux.FluxBuilder;
import org.apache.storm.flux.model.ExecutionContext;
import org.apache.storm.flux.model.TopologyDef;
import org.apache.storm.flux.parser.FluxParser;
import org.apache.storm.shade.net.minidev.json.JSONValue;
import org.apache.storm.utils.Utils;

/** Writes what Storm's own Flux makes of a definition: arguments are its file, a properties file and a folder for topology and conf.json. */
public class FluxReal {
    public static void main(String[] args) throws Exception {
        Properties p = FluxParser.parseProperties(args[1], false);
        TopologyDef def = FluxParser.parseFile(args[0], false, true, p, true);
        Config conf = FluxBuilder.buildConfig(def);
        Files.write(Path.of(args[2], "topology"), Utils.thriftSerialize(FluxBuilder.buildTopology(new ExecutionContext(def, conf))));
        conf.put("topology.name", def.getName());
        Files.write(Path.of(args[2], "conf.json"), JSONValue.toJSONString(new TreeMap<>(conf)).getBytes(StandardCharsets.UTF_8));
    }
}
