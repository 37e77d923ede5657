package gearstorm.jvmhost;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** Emits and acks on a thread of its own, which ends with an exception at its first tuple in the first two lives. */
public final class Dies implements Bolt {
    private static final AtomicInteger LIVES = new AtomicInteger();

    private final BlockingQueue<Tuple> queue = new LinkedBlockingQueue<>();
    private Channel channel;

    public static void main(String[] args) throws Exception {
        Host.run(() -> Bolt.work(new Dies()));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
        boolean dies = LIVES.incrementAndGet() <= 2;
        Thread t = new Thread(() -> work(dies), "feeder");
        t.setDaemon(true);
        t.start();
    }

    @Override
    public void execute(Tuple t) {
        queue.add(t);
    }

    private void work(boolean dies) {
        try {
            for (;;) {
                Tuple t = queue.take();
                if (dies) {
                    throw new IllegalStateException("the feed is gone");
                }
                channel.emit(0, null, List.of(t.values.get(0)), t);
                channel.ack(t);
            }
        } catch (java.io.IOException | InterruptedException e) {
            e.printStackTrace();
        }
    }
}
