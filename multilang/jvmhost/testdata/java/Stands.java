package gearstorm.jvmhost;

import java.util.concurrent.CountDownLatch;

/** Stands still at its second tuple: in a call that does not return, or with another thread that waits for the same locks. */
public final class Stands implements Bolt {
    private static final Object A = new Object();
    private static final Object B = new Object();

    private final boolean deadlock;
    private Channel channel;
    private Watch watch;
    private int n;

    private Stands(boolean deadlock) {
        this.deadlock = deadlock;
    }

    public static void main(String[] args) throws Exception {
        Host.run(() -> Bolt.work(new Stands(args[0].equals("deadlock"))));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
        watch = Watch.task(c, deadlock ? Long.MAX_VALUE : 1_000_000_000L);
    }

    @Override
    public void execute(Tuple t) throws Exception {
        watch.enter();
        if (++n == 2) {
            if (deadlock) {
                locks();
            } else {
                new CountDownLatch(1).await();
            }
        }
        channel.ack(t);
        watch.leave();
    }

    private void locks() throws InterruptedException {
        CountDownLatch both = new CountDownLatch(2);
        new Thread(() -> take(B, A, both), "other").start();
        take(A, B, both);
    }

    private static void take(Object first, Object second, CountDownLatch both) {
        synchronized (first) {
            both.countDown();
            try {
                both.await();
            } catch (InterruptedException e) { // nobody does
                throw new IllegalStateException(e);
            }
            synchronized (second) {
                both.countDown();
            }
        }
    }
}
