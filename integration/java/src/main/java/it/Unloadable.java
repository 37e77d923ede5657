package it;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.util.Map;
import javax.management.BadAttributeValueExpException;
import org.apache.storm.Config;
import org.apache.storm.StormSubmitter;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;

/**
 * A topology whose components cannot be loaded or opened, each for another reason, beside some that can. Arguments: name, folder
 * for results, numbers, what the deserialization filter is told ("" for nothing).
 */
public class Unloadable {

    /** Acks. */
    public static class Acks extends BaseRichBolt {
        private OutputCollector collector;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.collector = collector;
            Lines.append(conf, "prepared", context.getThisComponentId());
        }

        @Override
        public void execute(Tuple t) {
            collector.ack(t);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Has an object of a class that no component should need. */
    public static class Managed extends Acks {
        private final Exception part = new BadAttributeValueExpException("x");
    }

    /** Throws when it is read back. */
    public static class ThrowsWhenRead extends Acks {
        private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
            in.defaultReadObject();
            throw new IllegalStateException("it cannot be read back");
        }
    }

    /** Is one of a long chain of objects. */
    public static class Deep extends Acks {
        private Object next;

        Deep(int depth) {
            for (int i = 0; i < depth; i++) {
                next = new Object[] {next};
            }
        }
    }

    /** Throws when it is opened. */
    public static class ThrowsInOpen extends Numbers {
        public ThrowsInOpen() {
            super(1, false);
        }

        @Override
        public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
            throw new IllegalStateException("it cannot be opened");
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(Integer.parseInt(args[2])), 1);
        b.setSpout("once", new Numbers(1, false), 1);
        b.setSpout("open", new ThrowsInOpen(), 1);
        b.setBolt("good", new Acks(), 1).shuffleGrouping("numbers");
        b.setBolt("managed", new Managed(), 1).shuffleGrouping("once");
        b.setBolt("read", new ThrowsWhenRead(), 1).shuffleGrouping("once");
        b.setBolt("deep", new Deep(1200), 1).shuffleGrouping("once");
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.put("it.dir", args[1]);
        if (!args[3].isEmpty()) {
            conf.put("gearstorm.java.serial.filter", args[3]);
        }
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}
