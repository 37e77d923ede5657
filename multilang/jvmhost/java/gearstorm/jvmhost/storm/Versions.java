package gearstorm.jvmhost.storm;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.storm.task.GeneralTopologyContext;

/**
 * The versions of the topology that tasks work by, and the newest one. The Go side tells of a version, and forgets it, beside the channels
 * of tasks, so who needs one waits for it.
 */
final class Versions {
    private static final long WAIT_MILLIS = 30_000; // it was told before it is needed, and is only to be read

    private final SortedMap<Long, Version> known = new TreeMap<>(); // guarded by this
    private volatile Stream[] streams = {}; // of all versions up to the newest, by number

    /** A stream of tuples that come, with what its tuples are explained by. */
    record Stream(String component, String stream, GeneralTopologyContext context) {}

    synchronized void add(Version v) {
        known.put(v.setup.graph(), v);
        if (newest() == v) {
            List<Setup.Declared> all = v.setup.streams();
            Stream[] next = new Stream[all.size()];
            for (int i = 0; i < next.length; i++) {
                Setup.Declared s = all.get(i);
                next[i] = new Stream(s.component(), s.stream(), v.contextOf(s));
            }
            streams = next;
        }
        notifyAll();
    }

    synchronized void forget(long graph) {
        if (graph != known.lastKey()) {
            known.remove(graph);
        }
    }

    synchronized Version newest() {
        return known.get(known.lastKey());
    }

    /** Returns a version; the newest one if that is forgotten, since whoever works by it is about to go over to a later one. */
    synchronized Version get(long graph) throws InterruptedException {
        for (long end = System.currentTimeMillis() + WAIT_MILLIS; known.isEmpty() || known.lastKey() < graph; ) {
            await(end, "version " + graph + " of the topology");
        }
        Version v = known.get(graph);
        return v != null ? v : newest();
    }

    /** Returns the stream with a number. */
    Stream stream(int number) {
        Stream[] all = streams;
        return number < all.length ? all[number] : awaitStream(number);
    }

    private synchronized Stream awaitStream(int number) {
        try {
            for (long end = System.currentTimeMillis() + WAIT_MILLIS; number >= streams.length; ) {
                await(end, "stream " + number);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
        return streams[number];
    }

    private void await(long end, String what) throws InterruptedException {
        long left = end - System.currentTimeMillis();
        if (left <= 0) {
            throw new IllegalStateException(what + " was not told within " + WAIT_MILLIS / 1000 + " s");
        }
        wait(left);
    }
}
