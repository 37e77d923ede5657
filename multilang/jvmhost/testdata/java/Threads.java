package gearstorm.jvmhost;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;

/** Emits and acks on a thread of its own, with a lock in its hands that the channel's thread wants. */
public final class Threads implements Bolt {
    private final Queue<Tuple> queue = new ArrayDeque<>(); // also the lock
    private Channel channel;

    public static void main(String[] args) throws Exception {
        Host.run(() -> Bolt.work(new Threads()));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
        Thread t = new Thread(this::work, "worker");
        t.setDaemon(true);
        t.start();
    }

    @Override
    public void execute(Tuple t) {
        synchronized (queue) {
            queue.add(t);
            queue.notifyAll();
        }
    }

    private void work() {
        try {
            for (;;) {
                synchronized (queue) {
                    while (queue.isEmpty()) {
                        queue.wait();
                    }
                    Tuple t = queue.remove();
                    channel.emit(0, null, List.of(t.values.get(0)), t);
                    channel.ack(t);
                }
            }
        } catch (IOException | InterruptedException e) {
            e.printStackTrace();
        }
    }
}
