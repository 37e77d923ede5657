package gearstorm.jvmhost;

import java.util.Arrays;

/** What happened to tuples of a task that never passed the Go side, by stream, since it was told last. Any thread may add. */
public final class Counts {
    private static final int EMITTED = 1, EXECUTED = 2, ACKED = 3, FAILED = 4, TOOK = 5;
    private static final int BUCKETS = 4 * 64; // four to each power of two

    /** Hears of all that is added, at once. Any thread may call it. */
    public interface Listener {
        void emitted(int stream, int n, int transferred);

        void executed(int stream, int n, long nanos);

        void acked(int stream, int n);

        void failed(int stream, int n);

        void took(int stream, long nanos);
    }

    private final Listener listener; // null: nobody listens
    private OfStream[] byStream = {};
    private boolean any; // guarded by this, as are those of byStream

    private static final class OfStream {
        long emitted, transferred, executed, busy, acked, failed;
        long[] took; // how many ended after about so long
    }

    Counts(Listener listener) {
        this.listener = listener;
    }

    private OfStream of(int stream) {
        any = true;
        if (stream >= byStream.length) {
            byStream = Arrays.copyOf(byStream, Math.max(2 * byStream.length, stream + 1));
        }
        OfStream s = byStream[stream];
        return s != null ? s : (byStream[stream] = new OfStream());
    }

    public synchronized void emitted(int stream, int n, int transferred) {
        OfStream s = of(stream);
        s.emitted += n;
        s.transferred += transferred;
        if (listener != null) {
            listener.emitted(stream, n, transferred);
        }
    }

    public synchronized void executed(int stream, int n, long nanos) {
        OfStream s = of(stream);
        s.executed += n;
        s.busy += nanos;
        if (listener != null) {
            listener.executed(stream, n, nanos);
        }
    }

    public synchronized void acked(int stream, int n) {
        of(stream).acked += n;
        if (listener != null) {
            listener.acked(stream, n);
        }
    }

    public synchronized void failed(int stream, int n) {
        of(stream).failed += n;
        if (listener != null) {
            listener.failed(stream, n);
        }
    }

    /** One of the acked tuples took so long. */
    public synchronized void took(int stream, long nanos) {
        OfStream s = of(stream);
        if (s.took == null) {
            s.took = new long[BUCKETS];
        }
        s.took[bucket(nanos)]++;
        if (listener != null) {
            listener.took(stream, nanos);
        }
    }

    private static int bucket(long nanos) {
        if (nanos < 4) {
            return (int) Math.max(nanos, 0);
        }
        int power = 63 - Long.numberOfLeadingZeros(nanos);
        return power << 2 | (int) (nanos >>> power - 2) & 3;
    }

    private static long middle(int bucket) {
        if (bucket < 8) {
            return bucket & 3;
        }
        int power = bucket >> 2;
        return (long) (4 + (bucket & 3)) << power - 2 | 1L << power - 2 >> 1;
    }

    /** Whether there is something to tell. */
    synchronized boolean any() {
        return any;
    }

    /** Appends what there is to tell, and forgets it. */
    synchronized void take(Out o) {
        for (int i = 0; i < byStream.length; i++) {
            OfStream s = byStream[i];
            if (s == null) {
                continue;
            }
            count(o, EMITTED, i, s.emitted, s.transferred, 0, s.emitted + s.transferred > 0);
            count(o, EXECUTED, i, s.executed, s.busy, s.executed, s.executed > 0);
            count(o, ACKED, i, s.acked, 0, 0, s.acked > 0);
            count(o, FAILED, i, s.failed, 0, 0, s.failed > 0);
            for (int b = 0; s.took != null && b < BUCKETS; b++) {
                count(o, TOOK, i, s.took[b], middle(b), 0, s.took[b] > 0);
            }
            s.emitted = s.transferred = s.executed = s.busy = s.acked = s.failed = 0;
            if (s.took != null) {
                Arrays.fill(s.took, 0);
            }
        }
        any = false;
    }

    private static void count(Out o, int what, int stream, long n, long a, long b, boolean told) {
        if (told) {
            o.u8(what);
            o.uvarint(stream);
            o.uvarint(n);
            o.uvarint(a);
            o.uvarint(b);
        }
    }
}
