package it;

import java.security.AccessController;
import java.util.Map;
import java.util.TreeMap;
import javax.security.auth.Subject;
import org.apache.storm.Config;
import org.apache.storm.ICredentialsListener;
import org.apache.storm.StormSubmitter;
import org.apache.storm.security.auth.IAutoCredentials;
import org.apache.storm.task.OutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseRichBolt;
import org.apache.storm.tuple.Tuple;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A topology on which operators work while it runs: credentials, log levels, profiles. Arguments: name, folder for results, and pairs
 * "key value" of the conf.
 */
public class Operated {

    /** Keeps the credentials that it hears of, and logs with each tick. */
    public static class Listens extends BaseRichBolt implements ICredentialsListener {
        private static final Logger LOG = LoggerFactory.getLogger(Listens.class);

        private Map<String, String> given;
        private Map<String, Object> conf;

        @Override
        public void setCredentials(Map<String, String> credentials) {
            given = credentials;
            if (conf != null) {
                keep("changed");
            }
        }

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context, OutputCollector collector) {
            this.conf = conf;
            keep("prepared");
        }

        private void keep(String when) {
            Subject subject = Subject.getSubject(AccessController.getContext());
            Lines.append(conf, "credentials", when + " " + new TreeMap<>(given) + " " + subject.getPrivateCredentials(String.class));
        }

        @Override
        public void execute(Tuple t) {
            LOG.debug("a tick in detail");
            LOG.warn("a tick in short");
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return Map.of(Config.TOPOLOGY_TICK_TUPLE_FREQ_SECS, 1);
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    /** Brings a credential at submit, and keeps the token as the subject's. */
    public static class Auto implements IAutoCredentials {
        @Override
        public void prepare(Map<String, Object> conf) {
        }

        @Override
        public void populateCredentials(Map<String, String> credentials) {
            credentials.put("auto", "of the client");
        }

        @Override
        public void populateSubject(Subject subject, Map<String, String> credentials) {
            updateSubject(subject, credentials);
        }

        @Override
        public void updateSubject(Subject subject, Map<String, String> credentials) {
            subject.getPrivateCredentials().clear();
            subject.getPrivateCredentials().add("token " + credentials.get("token"));
        }
    }

    public static void main(String[] args) throws Exception {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("numbers", new Numbers(1, false), 1);
        b.setBolt("listens", new Listens(), 1).shuffleGrouping("numbers");
        Config conf = new Config();
        conf.setNumWorkers(1);
        conf.put("it.dir", args[1]);
        conf.put(Config.TOPOLOGY_AUTO_CREDENTIALS, java.util.List.of(Auto.class.getName()));
        for (int i = 2; i < args.length; i++) {
            String[] pair = args[i].split(" ", 2);
            conf.put(pair[0], pair[1]);
        }
        StormSubmitter.submitTopology(args[0], conf, b.createTopology());
    }
}
