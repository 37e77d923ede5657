package it;

import java.util.List;
import java.util.Map;
import org.apache.storm.StormSubmitter;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.trident.TridentTopology;
import org.apache.storm.trident.operation.BaseFilter;
import org.apache.storm.trident.operation.TridentOperationContext;
import org.apache.storm.trident.operation.builtin.Sum;
import org.apache.storm.trident.testing.CountAsAggregator;
import org.apache.storm.trident.testing.FixedBatchSpout;
import org.apache.storm.trident.tuple.TridentTuple;
import org.apache.storm.trident.windowing.InMemoryWindowsStoreFactory;
import org.apache.storm.trident.windowing.config.SlidingCountWindow;
import org.apache.storm.trident.windowing.config.TumblingCountWindow;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/**
 * Trident's other operations, on the numbers from 0 in batches of ten: tumbling windows of 20 (file tumbling) and windows of 30 that slide by
 * ten (file sliding), each with its count; a join of two streams by number (file joined); sums of each batch
 * (file sums). Arguments: name, folder for results, numbers (a multiple of 20), workers.
 */
public class TridentWindows {

    /** Writes what passes to a file. */
    public static class Keep extends BaseFilter {
        private final String file;
        private Map<String, Object> conf;

        public Keep(String file) {
            this.file = file;
        }

        @Override
        public void prepare(Map<String, Object> conf, TridentOperationContext context) {
            this.conf = conf;
        }

        @Override
        public boolean isKeep(TridentTuple t) {
            Lines.append(conf, file, t.getValues().toString());
            return true;
        }
    }

    private static FixedBatchSpout numbers(int limit, String... fields) {
        @SuppressWarnings("unchecked")
        List<Object>[] all = new List[limit];
        for (int i = 0; i < limit; i++) {
            all[i] = fields.length == 1 ? new Values(i) : new Values(i, fields[1] + i);
        }
        return new FixedBatchSpout(new Fields(fields), 10, all);
    }

    /** The topology. */
    public static StormTopology topology(int limit) {
        TridentTopology t = new TridentTopology();
        t.newStream("tumbled", numbers(limit, "n"))
            .window(TumblingCountWindow.of(20), new InMemoryWindowsStoreFactory(), new Fields("n"), new CountAsAggregator(), new Fields("count"))
            .filter(new Keep("tumbling"));
        t.newStream("slid", numbers(limit, "n"))
            .window(SlidingCountWindow.of(30, 10), new InMemoryWindowsStoreFactory(), new Fields("n"), new CountAsAggregator(), new Fields("count"))
            .filter(new Keep("sliding"));
        t.join(t.newStream("left", numbers(limit, "n", "a")), new Fields("n"), t.newStream("right", numbers(limit, "n", "b")), new Fields("n"),
                new Fields("n", "a", "b"))
            .parallelismHint(3)
            .filter(new Keep("joined"));
        t.newStream("summed", numbers(limit, "n"))
            .shuffle()
            .aggregate(new Fields("n"), new Sum(), new Fields("sum"))
            .filter(new Keep("sums"));
        return t.build();
    }

    public static void main(String[] args) throws Exception {
        StormSubmitter.submitTopology(args[0], TridentCount.conf(args[1], Integer.parseInt(args[3])), topology(Integer.parseInt(args[2])));
    }
}
