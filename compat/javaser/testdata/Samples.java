package sample;

import java.io.ByteArrayOutputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.storm.ILocalDRPC;
import org.apache.storm.drpc.DRPCSpout;
import org.apache.storm.drpc.ReturnResults;
import org.apache.storm.flux.wrappers.bolts.FluxShellBolt;
import org.apache.storm.flux.wrappers.spouts.FluxShellSpout;
import org.apache.storm.grouping.PartialKeyGrouping;
import org.apache.storm.spout.ShellSpout;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.ShellBolt;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicBoltExecutor;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.CheckpointTupleForwarder;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.IRichSpout;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;

/** Writes the sample streams beside this file; see README. */
public class Samples {
    public static class Split extends ShellBolt implements IRichBolt {
        public Split() {
            super("python3", "splitsentence.py");
        }

        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("word"));
        }

        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    /** Fields of its own, of many kinds, and one that refers back to the bolt. */
    public static class Rich extends Split {
        private final int count = 7;
        private final long big = 1L << 40;
        private final double ratio = 0.5;
        private final char letter = 'x';
        private final byte[] bytes = {1, 2, -1};
        private final int[][] grid = {{1}, {2, 3}};
        private final List<Object> list = new ArrayList<>();
        private final Thread.State state = Thread.State.RUNNABLE;
        private final Class<?> type = String.class;
        private final String text = "h\u00e9llo \ud83d\ude00\u0000";
        private final Object self = this;

        public Rich() {
            list.add(1);
            list.add(null);
            list.add(this);
        }
    }

    /** Changes what the stock bolt does. */
    public static class Counting extends Split {
        @Override
        public void execute(Tuple t) {
            super.execute(t);
        }
    }

    /** Helpers that cannot change what the stock bolt does. */
    public static class Helpers extends Split {
        static final Runnable LAMBDA = () -> System.out.println();

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields(names()));
        }

        private List<String> names() {
            return Collections.singletonList("w");
        }

        static int twice(int n) {
            return 2 * n;
        }
    }

    /** Is changed when it is read back. */
    public static class Resolving extends Split {
        private Object readResolve() {
            return new Split();
        }
    }

    public static class Sentences extends ShellSpout implements IRichSpout {
        public Sentences() {
            super("node", "sentences.js", "--fast");
        }

        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("sentence"));
        }

        public Map<String, Object> getComponentConfiguration() {
            return null;
        }
    }

    public static class Plain extends BaseRichBolt {
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
        }

        public void execute(Tuple t) {
        }

        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static class Basic extends BaseBasicBolt {
        private final Map<String, Integer> counts = new HashMap<>();

        public void execute(Tuple t, BasicOutputCollector c) {
        }

        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    public static class OneTask implements PartialKeyGrouping.AssignmentCreator {
        public int[] createAssignment(List<Integer> tasks, byte[] key) {
            return new int[] {tasks.get(0)};
        }
    }

    interface SerializableRunnable extends Runnable, Serializable {
    }

    static void write(Path dir, String name, Object o) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(o);
        }
        Files.write(dir.resolve(name + ".ser"), bytes.toByteArray());
    }

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        Map<String, String> env = new HashMap<>();
        env.put("PATH", "/opt/bin");
        env.put("MODE", "fast");
        write(dir, "shellbolt", new Split());
        write(dir, "shellbolt-fields", new Rich());
        ShellBolt withEnv = new Split();
        withEnv.setEnv(env);
        write(dir, "shellbolt-env", withEnv);
        withEnv.setEnv(new TreeMap<>(env));
        write(dir, "shellbolt-env-tree", withEnv);
        withEnv.setEnv(Collections.singletonMap("A", "1"));
        write(dir, "shellbolt-env-single", withEnv);
        withEnv.setEnv(Collections.unmodifiableMap(env));
        write(dir, "shellbolt-env-unmodifiable", withEnv);
        withEnv.setEnv(Map.of("A", "1", "B", "2"));
        write(dir, "shellbolt-env-mapof", withEnv);
        withEnv.setEnv(null);
        write(dir, "shellbolt-env-null", withEnv);
        ShellBolt stay = new Split();
        stay.changeChildCWD(false);
        write(dir, "shellbolt-nocwd", stay);
        write(dir, "shellbolt-counting", new Counting());
        write(dir, "shellspout", new Sentences());
        write(dir, "forwarder", new CheckpointTupleForwarder(new Split()));
        write(dir, "basic", new BasicBoltExecutor(new Basic()));
        write(dir, "plain", new Plain());
        FluxShellBolt flux = new FluxShellBolt(new String[] {"python3", "b.py"}, new String[] {"word"});
        flux.addComponentConfig("a.key", "v");
        flux.setEnv(env);
        write(dir, "fluxbolt", flux);
        write(dir, "fluxspout", new FluxShellSpout(new String[] {"python3", "s.py"}, new String[] {"line"}));
        write(dir, "partialkey", new PartialKeyGrouping());
        write(dir, "partialkey-fields", new PartialKeyGrouping(new Fields("a", "b")));
        write(dir, "partialkey-own", new PartialKeyGrouping(new Fields("a"), new OneTask()));
        write(dir, "lambda", (SerializableRunnable) () -> System.out.println());
        write(dir, "string", "just text");
        write(dir, "drpcspout", new DRPCSpout("reach"));
        ILocalDRPC local = (ILocalDRPC) Proxy.newProxyInstance(Samples.class.getClassLoader(), new Class<?>[] {ILocalDRPC.class},
            (proxy, method, methodArgs) -> "a-service");
        write(dir, "drpcspout-local", new DRPCSpout("reach", local));
        write(dir, "returnresults", new ReturnResults());
    }
}
