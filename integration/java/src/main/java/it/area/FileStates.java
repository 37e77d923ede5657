package it.area;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.storm.spout.CheckPointState;
import org.apache.storm.state.DefaultStateSerializer;
import org.apache.storm.state.KeyValueState;
import org.apache.storm.state.Serializer;
import org.apache.storm.state.State;
import org.apache.storm.state.StateProvider;
import org.apache.storm.task.TopologyContext;

/** States in files beside the results, so that they survive the process. */
public class FileStates implements StateProvider {
    @Override
    public State newState(String namespace, Map<String, Object> conf, TopologyContext context) {
        return new FileState(Path.of(conf.get(Results.FILE) + "." + namespace), new DefaultStateSerializer<>(conf, context,
            List.of(TreeSet.class, CheckPointState.class, CheckPointState.State.class)));
    }

    /** What was committed last is in one file, what is prepared in another, which becomes the first. */
    private static final class FileState implements KeyValueState<Object, Object> {
        private final Serializer<Map<Object, Object>> serializer;
        private final Path committed;
        private final Path prepared;
        private boolean left; // what is prepared is of another life
        private Map<Object, Object> now;

        FileState(Path committed, Serializer<Map<Object, Object>> serializer) {
            this.serializer = serializer;
            this.committed = committed;
            this.prepared = Path.of(committed + ".prepared");
            left = Files.exists(prepared);
            now = read();
        }

        private Map<Object, Object> read() {
            try {
                return serializer.deserialize(Files.readAllBytes(committed));
            } catch (NoSuchFileException e) {
                return new HashMap<>();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private void write(Path file) {
            Path part = Path.of(file + ".part");
            try {
                Files.write(part, serializer.serialize(now));
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void prepareCommit(long txid) {
            left = false;
            write(prepared);
        }

        @Override
        public void commit(long txid) {
            try {
                Files.move(prepared, committed, StandardCopyOption.ATOMIC_MOVE);
            } catch (NoSuchFileException e) {
                return; // committed before
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            if (left) {
                left = false;
                now = read();
            }
        }

        @Override
        public void commit() {
            write(committed);
        }

        @Override
        public void rollback() {
            try {
                Files.deleteIfExists(prepared);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            left = false;
            now = read();
        }

        @Override
        public void put(Object key, Object value) {
            now.put(key, value);
        }

        @Override
        public Object get(Object key) {
            return now.get(key);
        }

        @Override
        public Object get(Object key, Object other) {
            return now.getOrDefault(key, other);
        }

        @Override
        public Object delete(Object key) {
            return now.remove(key);
        }

        @Override
        public Iterator<Map.Entry<Object, Object>> iterator() {
            return now.entrySet().iterator();
        }
    }
}
