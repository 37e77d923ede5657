package it.area;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseStatefulWindowedBolt;
import org.apache.storm.topology.base.BaseWindowedBolt.Count;
import org.apache.storm.topology.base.BaseWindowedBolt.Duration;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;
import org.apache.storm.windowing.TupleWindow;

/** Windowed bolts with a state, whose windows begin anew or are kept in the state as well. */
class StateWindows implements Area {
    private static final int NUMBERS = 120;

    /** Adds up all windows in a state, and emits the sum after each. */
    static class Running extends BaseStatefulWindowedBolt<KeyValueState<String, Long>> {
        private OutputCollector collector;
        private KeyValueState<String, Long> state;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
        }

        @Override
        public void initState(KeyValueState<String, Long> state) {
            this.state = state;
        }

        @Override
        public void execute(TupleWindow w) {
            long sum = state.get("sum", 0L);
            long windows = state.get("windows", 0L) + 1;
            for (Tuple t : w.get()) {
                sum += t.getLongByField("n");
            }
            state.put("sum", sum);
            state.put("windows", windows);
            collector.emit(w.get(), new Values(windows, w.get().size(), sum));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
            d.declare(new Fields("windows", "size", "sum"));
        }
    }

    @Override
    public StormTopology build(Config conf) {
        conf.put(Config.TOPOLOGY_STATE_CHECKPOINT_INTERVAL, 300);
        List<Values> rows = new ArrayList<>();
        for (long n = 0; n < NUMBERS; n++) {
            rows.add(new Values(n, 1000 + 10 * n));
        }
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Feed(new Fields("n", "ts"), rows));
        b.setBolt("tumbling", new Running().withTumblingWindow(Count.of(8)).withMessageIdField("n")).globalGrouping("numbers");
        b.setBolt("sliding", new Running().withWindow(Count.of(10), Count.of(5)).withPersistence()).globalGrouping("numbers");
        b.setBolt("timed", new Running().withTumblingWindow(Duration.of(200)).withTimestampField("ts").withWatermarkInterval(Duration.of(100))
            .withPersistence()).globalGrouping("numbers");
        b.setBolt("sink", new Sink()).globalGrouping("tumbling").globalGrouping("sliding").globalGrouping("timed");
        return b.createTopology();
    }
}
