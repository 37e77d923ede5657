package gearstorm.jvmhost;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;

/** Sees to it that nothing that was left aside runs while code of the task does. */
final class Turn {
    private final ReentrantLock turn = new ReentrantLock(); // held by who runs either
    private final Queue<Runnable> asides = new ConcurrentLinkedQueue<>();

    /** Begins to run code of the task. */
    void begin() {
        turn.lock();
    }

    /** Has run it; asides is called next. */
    void end() {
        turn.unlock();
    }

    void add(Runnable r) {
        asides.add(r);
    }

    boolean isEmpty() {
        return asides.isEmpty();
    }

    /** Runs what waits, unless code of the task runs: whoever runs that comes here afterwards. */
    void asides() {
        while (!asides.isEmpty() && turn.tryLock()) {
            try {
                Runnable r = asides.poll();
                if (r != null) {
                    r.run();
                }
            } finally {
                turn.unlock();
            }
        }
    }
}
