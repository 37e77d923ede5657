package gearstorm.jvmhost;

import java.util.List;

/** The trees of tuples that left the process, by the numbers that Go knows the tuples by. Any thread may call it. */
final class Exports {
    static final int ACK = 1, FAIL = 2, RESET = 3;
    private static final int AT_ONCE = 256; // trees that are looked up in one go

    private final Numbered trees = new Numbered(); // guarded by this
    private final long[] lastAt = new long[4]; // guarded by this: at the last rotations, the newest first
    private volatile int age; // written with this

    /** Keeps the trees of the tuple that has the next number. */
    synchronized void add(Object t) {
        trees.add(t);
    }

    /** Forgets what left three message timeouts ago and of whose trees nobody knows any more. Called once in each. */
    synchronized void rotate() {
        age++;
        trees.forget(lastAt[lastAt.length - 1], Tree::isOver);
        System.arraycopy(lastAt, 0, lastAt, 1, lastAt.length - 1);
        lastAt[0] = trees.last();
    }

    /** Counts rotations. */
    int age() {
        return age;
    }

    synchronized List<Object> takeAll() {
        return trees.takeAll();
    }

    /** Does to the trees of n tuples what became of those. */
    void returned(int op, long first, int n) {
        Object[] some = new Object[Math.min(n, AT_ONCE)];
        for (int done = 0; done < n; done += some.length) {
            int count = Math.min(n - done, some.length);
            take(op, first + done, some, count);
            for (int i = 0; i < count; i++) {
                returned(op, some[i]);
            }
        }
    }

    private synchronized void take(int op, long first, Object[] some, int count) {
        for (int i = 0; i < count; i++) {
            some[i] = op == RESET ? trees.get(first + i) : trees.take(first + i);
        }
    }

    private static void returned(int op, Object t) {
        switch (op) {
            case ACK:
                Tree.release(t);
                break;
            case FAIL:
                Tree.fail(t);
                break;
            default:
                Tree.reset(t);
        }
    }
}
