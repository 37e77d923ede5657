package gearstorm.jvmhost;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;

/** A spout: emits the numbers below its argument, again what failed, and -1 when all are acked. */
public final class Counter implements Work {
    private final long limit;
    private final Map<Long, Long> pending = new HashMap<>();
    private final Queue<Long> again = new ArrayDeque<>();
    private Channel channel;
    private boolean active;
    private long next;
    private long acked;

    private Counter(long limit) {
        this.limit = limit;
    }

    public static void main(String[] args) throws Exception {
        Host.run(() -> new Counter(Long.parseLong(args[0])));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
    }

    @Override
    public boolean next(int calls) throws IOException {
        if (!active) {
            throw new IllegalStateException("asked for tuples before it was activated");
        }
        for (int i = 0; i < calls; i++) {
            Long n = again.poll();
            if (n == null && next < limit) {
                n = next++;
            }
            if (n == null) {
                return i > 0;
            }
            pending.put(channel.emitTracked(0, null, List.of(n)), n);
        }
        return true;
    }

    @Override
    public void ended(boolean ok, long first, int count) throws IOException {
        for (long i = first; i < first + count; i++) {
            Long n = pending.remove(i);
            if (!ok) {
                again.add(n);
            } else if (++acked == limit) {
                channel.emit(0, null, List.of(-1L));
            }
        }
    }

    @Override
    public void status(boolean on) {
        active = on;
    }
}
