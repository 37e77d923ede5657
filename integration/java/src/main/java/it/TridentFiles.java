package it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.storm.task.IMetricsContext;
import org.apache.storm.trident.state.OpaqueValue;
import org.apache.storm.trident.state.State;
import org.apache.storm.trident.state.StateFactory;
import org.apache.storm.trident.state.TransactionalValue;
import org.apache.storm.trident.state.map.IBackingMap;
import org.apache.storm.trident.state.map.OpaqueMap;
import org.apache.storm.trident.state.map.TransactionalMap;

/** States that outlive the process: a file for each partition, replaced as a whole by every batch. */
final class TridentFiles {
    private TridentFiles() {}

    /** For spouts whose batches never change: of each key the transaction and the count. */
    static class Transactional implements StateFactory {
        @Override
        public State makeState(Map<String, Object> conf, IMetricsContext metrics, int partition, int partitions) {
            return TransactionalMap.<Long>build(new Backing<TransactionalValue>(conf, partition, v -> v.getTxid() + " " + v.getVal(),
                f -> new TransactionalValue<>(f[0], f[1])));
        }
    }

    /** For spouts whose batches may: of each key the transaction, the count, and the one before it. */
    static class Opaque implements StateFactory {
        @Override
        public State makeState(Map<String, Object> conf, IMetricsContext metrics, int partition, int partitions) {
            return OpaqueMap.<Long>build(new Backing<OpaqueValue>(conf, partition, v -> v.getCurrTxid() + " " + v.getCurr() + " " + v.getPrev(),
                f -> new OpaqueValue<>(f[0], f[1], f[2])));
        }
    }

    /** Lines of a key and a value, in the file state-PARTITION of the folder for results. */
    private static class Backing<T> implements IBackingMap<T> {
        private final Path file;
        private final Function<T, String> text;
        private final Function<Long[], T> value;

        Backing(Map<String, Object> conf, int partition, Function<T, String> text, Function<Long[], T> value) {
            this.file = Path.of((String) conf.get("it.dir"), "state-" + partition);
            this.text = text;
            this.value = value;
        }

        private T parse(String v) {
            return v == null ? null : value.apply(Arrays.stream(v.split(" ")).map(f -> f.equals("null") ? null : Long.valueOf(f)).toArray(Long[]::new));
        }

        private Map<String, String> read() {
            Map<String, String> all = new TreeMap<>();
            try {
                if (Files.exists(file)) {
                    for (String line : Files.readAllLines(file)) {
                        int at = line.indexOf(' ');
                        all.put(line.substring(0, at), line.substring(at + 1));
                    }
                }
                return all;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public List<T> multiGet(List<List<Object>> keys) {
            Map<String, String> all = read();
            List<T> values = new ArrayList<>();
            for (List<Object> k : keys) {
                values.add(parse(all.get(k.get(0))));
            }
            return values;
        }

        @Override
        public void multiPut(List<List<Object>> keys, List<T> values) {
            Map<String, String> all = read();
            for (int i = 0; i < keys.size(); i++) {
                all.put((String) keys.get(i).get(0), text.apply(values.get(i)));
            }
            StringBuilder lines = new StringBuilder();
            all.forEach((k, v) -> lines.append(k).append(' ').append(v).append('\n'));
            try {
                Path next = file.resolveSibling(file.getFileName() + ".new");
                Files.writeString(next, lines);
                Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
