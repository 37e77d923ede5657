package it.area;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.storm.Config;
import org.apache.storm.LocalCluster;
import org.apache.storm.LocalDRPC;
import org.apache.storm.generated.KillOptions;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.utils.VersionInfo;

/**
 * Runs areas in Storm's own LocalCluster and writes what they found out, one file an area. Arguments: folder for work, folder
 * for results, names of areas (default: all).
 */
public class Record {
    private static final int QUIET_MILLIS = 15_000;
    private static final int PORTS = 40;

    public static void main(String[] args) throws Exception {
        Path work = Path.of(args[0]);
        Path out = Path.of(args[1]);
        Collection<String> names = args.length > 2 ? List.of(args).subList(2, args.length) : Areas.ALL.keySet();
        Map<String, List<String>> answers = new HashMap<>();
        try (LocalDRPC drpc = new LocalDRPC();
                LocalCluster cluster = new LocalCluster.Builder().withSupervisors(1).withPortsPerSupervisor(PORTS).build()) {
            for (String name : names) {
                Config conf = Areas.conf(name, work);
                Area area = Areas.of(name);
                StormTopology topology = area instanceof Asked a ? a.build(conf, drpc) : area.build(conf);
                cluster.submitTopology(name, conf, topology);
            }
            awaitQuiet(work, names);
            for (String name : names) {
                if (Areas.of(name) instanceof Asked a) {
                    answers.put(name, answers(a, drpc));
                }
            }
            KillOptions now = new KillOptions();
            now.set_wait_secs(0);
            for (String name : names) {
                cluster.killTopologyWithOpts(name, now);
            }
            awaitQuiet(work, names); // what hooks say at the end
        }
        for (String name : names) {
            List<String> lines = new ArrayList<>();
            lines.add("# recorded with LocalCluster of Storm " + VersionInfo.getVersion() + " by scripts/record-java.sh");
            lines.addAll(answers.containsKey(name) ? answers.get(name) : Results.read(work.resolve(name)));
            Files.write(out.resolve(name + ".txt"), lines);
            System.out.println(name + " " + (lines.size() - 1));
        }
        System.exit(0); // LocalCluster leaves threads
    }

    /** Asks all questions until no answer has changed for a while. */
    private static List<String> answers(Asked area, LocalDRPC drpc) throws Exception {
        for (List<String> before = List.of(); ; Thread.sleep(QUIET_MILLIS)) {
            List<String> now = new ArrayList<>();
            for (String question : new TreeSet<>(area.questions)) {
                now.add("asked " + question + " = " + drpc.execute(area.function, question));
            }
            if (now.equals(before)) {
                return now;
            }
            before = now;
        }
    }

    /** Waits until every area has results and none had a new one for a while. */
    private static void awaitQuiet(Path dir, Collection<String> names) throws Exception {
        long size = -1;
        long since = System.currentTimeMillis();
        while (System.currentTimeMillis() - since < QUIET_MILLIS) {
            Thread.sleep(500);
            long now = 0;
            for (String name : names) {
                Path file = dir.resolve(name);
                if (Areas.of(name) instanceof Asked) {
                    continue;
                }
                if (!Files.exists(file)) {
                    since = System.currentTimeMillis();
                } else {
                    now += Files.size(file);
                }
            }
            if (now != size) {
                size = now;
                since = System.currentTimeMillis();
            }
        }
    }
}
