package it.area;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.topology.base.BaseStatefulBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.utils.Utils;

/**
 * A state that is kept in files by a StateProvider of the topology's own. The process may be killed at any time: what was acked
 * does not come again, and must be in the state.
 */
class Recovery implements Area {
    private static final int NUMBERS = 300;
    private static final int PAUSE_MILLIS = 10;

    /** Emits numbers until all were acked, in this life or in one before. The file of the results with ".acked" keeps them. */
    static class Persistent extends BaseRichSpout {
        private final Deque<Integer> left = new ArrayDeque<>();
        private Path file;
        private SpoutOutputCollector collector;

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            this.collector = collector;
            file = Path.of(conf.get(Results.FILE) + ".acked");
            Set<Integer> acked = new HashSet<>();
            try {
                Files.readAllLines(file).forEach(l -> acked.add(Integer.valueOf(l)));
            } catch (NoSuchFileException e) {
                // the first life
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            for (int n = 0; n < NUMBERS; n++) {
                if (!acked.contains(n)) {
                    left.add(n);
                }
            }
        }

        @Override
        public void nextTuple() {
            Integer n = left.poll();
            if (n != null) {
                collector.emit(new Values("k" + n % 7, n), n);
                Utils.sleep(PAUSE_MILLIS);
            }
        }

        @Override
        public void ack(Object id) {
            try {
                Files.writeString(file, id + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void fail(Object id) {
            left.add((Integer) id);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("key", "n"));
        }
    }

    /** Keeps the numbers of every key. How much a life begins with is kept in the file of the results with ".begins". */
    static class Keep extends BaseStatefulBolt<KeyValueState<String, TreeSet<Integer>>> {
        private Map<String, Object> conf;
        private OutputCollector collector;
        private KeyValueState<String, TreeSet<Integer>> state;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            this.collector = collector;
        }

        @Override
        public void initState(KeyValueState<String, TreeSet<Integer>> state) {
            this.state = state;
            int numbers = 0;
            for (Map.Entry<String, TreeSet<Integer>> e : state) {
                numbers += e.getValue().size();
            }
            try {
                Files.writeString(Path.of(conf.get(Results.FILE) + ".begins"), numbers + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void execute(Tuple t) {
            String key = t.getStringByField("key");
            TreeSet<Integer> numbers = new TreeSet<>(state.get(key, new TreeSet<>()));
            numbers.add(t.getIntegerByField("n"));
            state.put(key, numbers);
            Results.set(conf, key, numbers);
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    @Override
    public StormTopology build(Config conf) {
        conf.put(Config.TOPOLOGY_STATE_PROVIDER, FileStates.class.getName());
        conf.put(Config.TOPOLOGY_STATE_CHECKPOINT_INTERVAL, 300);
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Persistent());
        b.setBolt("keep", new Keep(), 2).fieldsGrouping("numbers", new Fields("key"));
        return b.createTopology();
    }
}
