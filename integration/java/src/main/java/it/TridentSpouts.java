package it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.trident.operation.TridentCollector;
import org.apache.storm.trident.spout.IOpaquePartitionedTridentSpout;
import org.apache.storm.trident.spout.IPartitionedTridentSpout;
import org.apache.storm.trident.spout.ISpoutPartition;
import org.apache.storm.trident.spout.ITridentSpout;
import org.apache.storm.trident.topology.TransactionAttempt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Values;

/** Trident's sorts of spouts, each of so many sentences. What a batch holds is known from what Trident keeps of it in ZooKeeper. */
final class TridentSpouts {
    private static final Fields FIELDS = new Fields("sentence");
    private static final int PARTS = 2;
    private static final int BATCH = 5; // sentences of a part

    private TridentSpouts() {}

    private static void emit(TridentCollector collector, long from, long to) {
        for (long i = from; i < to; i++) {
            collector.emit(new Values(TridentCount.SENTENCE));
        }
    }

    private static long end(Map<?, ?> meta) {
        return meta == null ? 0 : ((Number) meta.get("to")).longValue();
    }

    private static Map<String, Object> range(long from, long to) {
        Map<String, Object> meta = new HashMap<>();
        meta.put("from", from);
        meta.put("to", to);
        return meta;
    }

    /** One coordinator says what each batch holds; every task emits its share of it. */
    static class Coordinated implements ITridentSpout<Map<String, Object>> {
        private final int limit;

        Coordinated(int limit) {
            this.limit = limit;
        }

        @Override
        public BatchCoordinator<Map<String, Object>> getCoordinator(String id, Map<String, Object> conf, TopologyContext context) {
            return new BatchCoordinator<>() {
                @Override
                public Map<String, Object> initializeTransaction(long txid, Map<String, Object> previous, Map<String, Object> current) {
                    if (current != null) {
                        return current;
                    }
                    long from = end(previous);
                    return range(from, Math.min(from + PARTS * BATCH, limit));
                }

                @Override
                public void success(long txid) {
                    Lines.append(conf, "succeeded", "" + txid);
                }

                @Override
                public boolean isReady(long txid) {
                    return true;
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public Emitter<Map<String, Object>> getEmitter(String id, Map<String, Object> conf, TopologyContext context) {
            int index = context.getThisTaskIndex();
            int tasks = context.getComponentTasks(context.getThisComponentId()).size();
            return new Emitter<>() {
                @Override
                public void emitBatch(TransactionAttempt tx, Map<String, Object> meta, TridentCollector collector) {
                    long from = ((Number) meta.get("from")).longValue();
                    for (long i = from; i < end(meta); i++) {
                        if (i % tasks == index) {
                            collector.emit(new Values(TridentCount.SENTENCE));
                        }
                    }
                }

                @Override
                public void success(TransactionAttempt tx) {
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }

        @Override
        public Fields getOutputFields() {
            return FIELDS;
        }
    }

    /** A part of the sentences. */
    record Part(int number) implements ISpoutPartition {
        @Override
        public String getId() {
            return "part" + number;
        }
    }

    /** The transactions that processes before this one held up; read when the first batch comes. */
    private static Set<String> heldBefore;

    private static synchronized boolean wasHeld(Map<String, Object> conf, String transaction) {
        if (heldBefore == null) {
            heldBefore = new HashSet<>();
            Path held = Path.of((String) conf.get("it.dir"), "held");
            try {
                for (String line : Files.exists(held) ? Files.readAllLines(held) : List.<String>of()) {
                    heldBefore.add(line.substring(0, line.indexOf(':')));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return heldBefore.contains(transaction);
    }

    /**
     * Takes note of a batch that comes again, and holds those up that conf's it.held lists by their transaction, until the process is
     * killed; in a later process they are not held up again.
     */
    private static void began(Map<String, Object> conf, TransactionAttempt tx) {
        String transaction = tx.getTransactionId().toString();
        if (tx.getAttemptId() > 0 || wasHeld(conf, transaction)) {
            Lines.append(conf, "again", tx.toString());
        } else if (conf.get("it.held") instanceof List<?> held && held.contains(transaction)) {
            Lines.append(conf, "held", tx.toString());
            try {
                Thread.sleep(60_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static List<Part> parts() {
        List<Part> parts = new ArrayList<>();
        for (int i = 0; i < PARTS; i++) {
            parts.add(new Part(i));
        }
        return parts;
    }

    /** Emits the next batch of some parts, with so many sentences of each. */
    private static Map<Part, Map<String, Object>> next(TridentCollector collector, Set<Part> parts, Map<Part, Map<String, Object>> last, int batch, int limit) {
        Map<Part, Map<String, Object>> metas = new HashMap<>();
        for (Part p : parts) {
            long from = end(last.get(p));
            long to = Math.min(from + batch, limit / PARTS + (p.number() < limit % PARTS ? 1 : 0));
            emit(collector, from, to);
            metas.put(p, range(from, to));
        }
        return metas;
    }

    /** A batch that comes again is the same one. */
    static class Partitioned implements IPartitionedTridentSpout<Integer, Part, Map<String, Object>> {
        private final int limit;

        Partitioned(int limit) {
            this.limit = limit;
        }

        @Override
        public Coordinator<Integer> getCoordinator(Map<String, Object> conf, TopologyContext context) {
            return new Coordinator<>() {
                @Override
                public Integer getPartitionsForBatch() {
                    return PARTS;
                }

                @Override
                public boolean isReady(long txid) {
                    return true;
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public Emitter<Integer, Part, Map<String, Object>> getEmitter(Map<String, Object> conf, TopologyContext context) {
            return new Emitter<>() {
                @Override
                public List<Part> getOrderedPartitions(Integer all) {
                    return parts();
                }

                @Override
                public Map<Part, Map<String, Object>> emitBatchNew(TransactionAttempt tx, TridentCollector collector, Set<Part> parts,
                        Map<Part, Map<String, Object>> last) {
                    began(conf, tx);
                    return next(collector, parts, last, BATCH, limit);
                }

                @Override
                public void refreshPartitions(List<Part> mine) {
                }

                @Override
                public void reEmitPartitionBatch(TransactionAttempt tx, TridentCollector collector, Part p, Map<String, Object> meta) {
                    began(conf, tx);
                    emit(collector, ((Number) meta.get("from")).longValue(), end(meta));
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }

        @Override
        public Fields getOutputFields() {
            return FIELDS;
        }
    }

    /** A batch that comes again is a larger one. */
    static class Opaque implements IOpaquePartitionedTridentSpout<Integer, Part, Map<String, Object>> {
        private final int limit;

        Opaque(int limit) {
            this.limit = limit;
        }

        @Override
        public Coordinator<Integer> getCoordinator(Map<String, Object> conf, TopologyContext context) {
            return new Coordinator<>() {
                @Override
                public boolean isReady(long txid) {
                    return true;
                }

                @Override
                public Integer getPartitionsForBatch() {
                    return PARTS;
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public Emitter<Integer, Part, Map<String, Object>> getEmitter(Map<String, Object> conf, TopologyContext context) {
            return new Emitter<>() {
                @Override
                public Map<Part, Map<String, Object>> emitBatchNew(TransactionAttempt tx, TridentCollector collector, Set<Part> parts,
                        Map<Part, Map<String, Object>> last) {
                    began(conf, tx);
                    return next(collector, parts, last, BATCH + tx.getAttemptId(), limit);
                }

                @Override
                public void refreshPartitions(List<Part> mine) {
                }

                @Override
                public List<Part> getOrderedPartitions(Integer all) {
                    return parts();
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public Map<String, Object> getComponentConfiguration() {
            return null;
        }

        @Override
        public Fields getOutputFields() {
            return FIELDS;
        }
    }
}
