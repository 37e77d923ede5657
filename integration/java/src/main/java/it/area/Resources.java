package it.area;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

/** Files of the jar: those of its class path, and those of its folder resources, which a worker finds in its code folder. */
class Resources implements Area {

    /** Reads a file in each way that there is. */
    static class Reader extends BaseBasicBolt {
        private Map<String, Object> conf;
        private Path code;

        @Override
        public void prepare(Map<String, Object> conf, TopologyContext context) {
            this.conf = conf;
            code = Path.of(context.getCodeDir());
        }

        @Override
        public void execute(Tuple t, BasicOutputCollector collector) {
            String file = t.getString(0);
            Results.add(conf, file, "beside the class:", text(Reader.class.getResourceAsStream(file)));
            Results.add(conf, file, "of the class path:", text(Reader.class.getResourceAsStream("/it/area/" + file)));
            Results.add(conf, file, "of the thread's loader:", text(Thread.currentThread().getContextClassLoader().getResourceAsStream("resources/" + file)));
            try {
                Path path = code.resolve(file);
                Results.add(conf, file, "of", code.getFileName(), Files.exists(path) ? text(Files.newInputStream(path)) : "is not there");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static String text(InputStream from) {
            if (from == null) {
                return "is not there";
            }
            try (InputStream in = from) {
                return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer d) {
        }
    }

    @Override
    public StormTopology build(Config conf) {
        TopologyBuilder b = new TopologyBuilder();
        b.setSpout("files", new Feed(new Fields("file"), List.of(new Values("beside.txt"), new Values("folder.txt"), new Values("nosuch.txt"))));
        b.setBolt("reader", new Reader()).shuffleGrouping("files");
        return b.createTopology();
    }
}
