package gearstorm.jvmhost.flux;

import gearstorm.jvmhost.Host;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.storm.utils.Utils;

/**
 * Makes the topology of a definition with Java components. The one argument is a folder: the definition is read from its file
 * definition; the file topology gets the topology in Thrift's form, or the file mistake why there is none, and warnings lines.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws IOException {
        Path dir = Path.of(args[0]);
        List<String> warnings = new ArrayList<>();
        try {
            Definition def = Definition.of(Host.decode(Files.readAllBytes(dir.resolve("definition"))));
            byte[] topology = Utils.thriftSerialize(Topology.of(def, warnings::add));
            Files.writeString(dir.resolve("warnings"), String.join("\n", warnings));
            Files.write(dir.resolve("topology"), topology);
        } catch (Mistake e) {
            Files.writeString(dir.resolve("mistake"), e.getMessage());
        }
        System.out.flush();
        Runtime.getRuntime().halt(0); // threads and hooks of user code do not matter any more
    }
}
