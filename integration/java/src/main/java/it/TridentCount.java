package it;

import java.util.List;
import org.apache.storm.Config;
import org.apache.storm.ILocalDRPC;
import org.apache.storm.StormSubmitter;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.trident.Stream;
import org.apache.storm.trident.TridentState;
import org.apache.storm.trident.TridentTopology;
import org.apache.storm.trident.operation.BaseFunction;
import org.apache.storm.trident.operation.TridentCollector;
import org.apache.storm.trident.operation.builtin.Count;
import org.apache.storm.trident.operation.builtin.FilterNull;
import org.apache.storm.trident.operation.builtin.MapGet;
import org.apache.storm.trident.operation.builtin.Sum;
import org.apache.storm.trident.state.StateFactory;
import org.apache.storm.trident.testing.FixedBatchSpout;
import org.apache.storm.trident.testing.MemoryMapState;
import org.apache.storm.trident.tuple.TridentTuple;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/**
 * Trident's word count, asked by DRPC: the answer to "the cow" is [[the sum of both counts]]. Arguments: name, kind, folder for
 * results, function, sentences, workers, and transactions whose batches are held up (see TridentSpouts), a few at once. Each kind is another sort of spout with the state that goes with it; the counts of
 * those that keep it in files are exact whatever fails.
 */
public class TridentCount {
    static final String SENTENCE = "the cow jumped over the moon";

    /** Emits the words of a text. */
    public static class Split extends BaseFunction {
        @Override
        public void execute(TridentTuple t, TridentCollector collector) {
            for (String word : t.getString(0).split(" ")) {
                collector.emit(new Values(word));
            }
        }
    }

    /** The topology; drpc is null on a cluster. */
    public static StormTopology topology(String kind, String function, int sentences, ILocalDRPC drpc) {
        TridentTopology t = new TridentTopology();
        TridentState counts = source(t, kind, sentences)
            .each(new Fields("sentence"), new Split(), new Fields("word"))
            .groupBy(new Fields("word"))
            .persistentAggregate(state(kind), new Count(), new Fields("count"))
            .parallelismHint(2);
        (drpc == null ? t.newDRPCStream(function) : t.newDRPCStream(function, drpc))
            .each(new Fields("args"), new Split(), new Fields("word"))
            .groupBy(new Fields("word"))
            .stateQuery(counts, new Fields("word"), new MapGet(), new Fields("count"))
            .each(new Fields("count"), new FilterNull())
            .aggregate(new Fields("count"), new Sum(), new Fields("sum"));
        return t.build();
    }

    private static Stream source(TridentTopology t, String kind, int sentences) {
        switch (kind) {
            case "memory":
                return t.newStream("sentences", fixed(sentences));
            case "rich":
                return t.newStream("sentences", new Sentences(sentences));
            case "coordinated":
                return t.newStream("sentences", new TridentSpouts.Coordinated(sentences)).parallelismHint(2).shuffle();
            case "transactional":
                return t.newStream("sentences", new TridentSpouts.Partitioned(sentences)).parallelismHint(2).shuffle();
            case "opaque":
                return t.newStream("sentences", new TridentSpouts.Opaque(sentences)).parallelismHint(2).shuffle();
            default:
                throw new IllegalArgumentException("no such kind: " + kind);
        }
    }

    private static FixedBatchSpout fixed(int sentences) {
        @SuppressWarnings("unchecked")
        List<Object>[] all = new List[sentences];
        java.util.Arrays.fill(all, new Values(SENTENCE));
        return new FixedBatchSpout(new Fields("sentence"), 10, all);
    }

    private static StateFactory state(String kind) {
        switch (kind) {
            case "coordinated":
            case "transactional":
                return new TridentFiles.Transactional();
            case "opaque":
                return new TridentFiles.Opaque();
            default:
                return new MemoryMapState.Factory();
        }
    }

    /** What each kind is run with. */
    public static Config conf(String dir, int workers) {
        Config conf = new Config();
        conf.setNumWorkers(workers);
        conf.setMessageTimeoutSecs(20);
        conf.put(Config.TOPOLOGY_TRIDENT_BATCH_EMIT_INTERVAL_MILLIS, 10);
        conf.put("it.dir", dir);
        return conf;
    }

    public static void main(String[] args) throws Exception {
        Config conf = conf(args[2], Integer.parseInt(args[5]));
        if (args.length > 6) {
            conf.put("it.held", List.of(args).subList(6, args.length));
            conf.setMaxSpoutPending(5);
        }
        StormSubmitter.submitTopology(args[0], conf, topology(args[1], args[3], Integer.parseInt(args[4]), null));
    }
}
