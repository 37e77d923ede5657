package yahoo;

import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.kafka.spout.FirstPollOffsetStrategy;
import org.apache.storm.kafka.spout.KafkaSpout;
import org.apache.storm.kafka.spout.KafkaSpoutConfig;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;
import org.apache.storm.utils.Utils;

/** Submits the benchmark. Argument: its name. What it works with stands in the configuration's key "yahoo". */
public final class Main {
    private Main() {
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> options = Utils.readCommandLineOpts();
        Config conf = new Config();
        conf.putAll(options);
        Map<?, ?> work = (Map<?, ?>) options.get("yahoo");
        String redis = work.get("redis").toString();
        int tasks = ((Number) work.get("tasks")).intValue();
        KafkaSpoutConfig<String, String> events = KafkaSpoutConfig.builder(work.get("kafka").toString(), work.get("topic").toString())
            .setProp(ConsumerConfig.GROUP_ID_CONFIG, args[0])
            .setProp(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 2000)
            .setFirstPollOffsetStrategy(FirstPollOffsetStrategy.EARLIEST)
            .setProcessingGuarantee(KafkaSpoutConfig.ProcessingGuarantee.AT_LEAST_ONCE)
            .build();
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("ads", new KafkaSpout<>(events), tasks);
        b.setBolt("read", new Read(), tasks).localOrShuffleGrouping("ads");
        b.setBolt("filter", new Filter(), tasks).localOrShuffleGrouping("read");
        b.setBolt("project", new Project(), tasks).localOrShuffleGrouping("filter");
        b.setBolt("join", new Join(redis), tasks).localOrShuffleGrouping("project");
        b.setBolt("count", new Count(redis), tasks).fieldsGrouping("join", new Fields("campaign"));
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}
