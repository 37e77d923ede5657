package bench;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;

/**
 * This worker's side of the measuring: one for all tasks. It connects to the listener of scripts/bench and answers every byte
 * with one line of JSON, the reading of scripts/bench/probe.go.
 */
final class Probe {
    /** How many tuples apart a task publishes its counts: a power of two, the same on both sides. */
    static final int PUBLISH_EVERY = 64;

    private static final Probe PROBE = new Probe();

    private final Map<String, Integer> components = new TreeMap<>();
    private final List<Tally> tallies = new ArrayList<>();
    private SocketChannel channel;
    private volatile long first;

    /** Counts of one task, written by it alone. */
    static final class Tally {
        volatile long emitted;
        volatile long acked;
        volatile long failed;
        volatile long tuples;
        volatile long sum;
        private final Map<Integer, Long> latency = new TreeMap<>();

        void arrived(long n, long total) {
            sum = total;
            tuples = n;
            if (PROBE.first == 0) {
                PROBE.first = now();
            }
        }

        synchronized void took(long nanos) {
            latency.merge(bucket(nanos), 1L, Long::sum);
        }

        private synchronized void addLatency(Map<Integer, Long> to) {
            latency.forEach((b, n) -> to.merge(b, n, Long::sum));
        }
    }

    /** Registers a task; the first one of the process connects. */
    static Tally join(String listener, String component) {
        synchronized (PROBE) {
            if (PROBE.channel == null) {
                try {
                    PROBE.channel = SocketChannel.open(UnixDomainSocketAddress.of(listener));
                } catch (IOException e) {
                    throw new IllegalStateException("connect the probe", e);
                }
                Thread t = new Thread(PROBE::answer, "bench-probe");
                t.setDaemon(true);
                t.start();
            }
            PROBE.components.merge(component, 1, Integer::sum);
            Tally tally = new Tally();
            PROBE.tallies.add(tally);
            return tally;
        }
    }

    /** Buckets are 1/32 of a power of two wide: those of scripts/bench/latency.go. */
    static int bucket(long v) {
        int shift = Math.max(0, 58 - Long.numberOfLeadingZeros(Math.max(v, 1)));
        return shift * 32 + (int) (Math.max(v, 0) >>> shift);
    }

    private static long now() {
        java.time.Instant t = java.time.Instant.now();
        return t.getEpochSecond() * 1_000_000_000L + t.getNano();
    }

    private void answer() {
        ByteBuffer ask = ByteBuffer.allocate(1);
        try (SocketChannel c = channel) {
            while (c.read(ask) == 1) {
                ask.clear();
                ByteBuffer line = ByteBuffer.wrap((read() + "\n").getBytes(StandardCharsets.UTF_8));
                while (line.hasRemaining()) {
                    c.write(line);
                }
            }
        } catch (IOException e) {
            // The same as the end of the stream.
        }
        Runtime.getRuntime().halt(0); // the measuring is over, or was killed: nothing shall be left of it
    }

    private synchronized String read() {
        long emitted = 0;
        long acked = 0;
        long failed = 0;
        long tuples = 0;
        long sum = 0;
        Map<Integer, Long> latency = new TreeMap<>();
        for (Tally t : tallies) {
            emitted += t.emitted;
            acked += t.acked;
            failed += t.failed;
            tuples += t.tuples;
            sum += t.sum;
            t.addLatency(latency);
        }
        StringJoiner names = new StringJoiner(",", "{", "}");
        components.forEach((name, n) -> names.add("\"" + name + "\":" + n));
        StringJoiner buckets = new StringJoiner(",", "{", "}");
        latency.forEach((b, n) -> buckets.add("\"" + b + "\":" + n));
        return "{\"pid\":" + ProcessHandle.current().pid() + ",\"at\":" + now() + ",\"first\":" + first
            + ",\"emitted\":" + emitted + ",\"acked\":" + acked + ",\"failed\":" + failed + ",\"tuples\":" + tuples
            + ",\"sum\":" + sum + ",\"components\":" + names + ",\"latency\":" + buckets + "}";
    }
}
