package gearstorm.jvmhost;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * The tree of a tuple, as far as it is in this process: the number of tuples that hold it. It ends once: when the last of
 * them is acked, or when one fails. The trees of a tuple are null, a Tree, or a Tree[] of several.
 */
public abstract class Tree {
    private static final int ACKED = 0, FAILED = -1;
    private static final AtomicIntegerFieldUpdater<Tree> HOLDERS = AtomicIntegerFieldUpdater.newUpdater(Tree.class, "holders");

    private volatile int holders;

    protected Tree(int holders) {
        this.holders = holders;
    }

    /** Whether it has ended well. */
    public boolean isAcked() {
        return holders == ACKED;
    }

    /** Is called once, by whoever ends it. */
    protected abstract void ended(boolean acked);

    /** Starts the timeout again. */
    protected abstract void reset();

    /** Whether it can be counted on no more though it has not ended: whoever has the rest of it has forgotten it. */
    protected abstract boolean isForgotten();

    /** Adds a holder; false if it has ended. */
    private boolean fork() {
        for (;;) {
            int n = holders;
            if (n <= 0) {
                return false;
            }
            if (HOLDERS.compareAndSet(this, n, n + 1)) {
                return true;
            }
        }
    }

    private void release() {
        for (;;) {
            int n = holders;
            if (n <= 0) {
                return;
            }
            if (HOLDERS.compareAndSet(this, n, n - 1)) {
                if (n == 1) {
                    ended(true);
                }
                return;
            }
        }
    }

    private void fail() {
        for (;;) {
            int n = holders;
            if (n <= 0) {
                return;
            }
            if (HOLDERS.compareAndSet(this, n, FAILED)) {
                ended(false);
                return;
            }
        }
    }

    /** Adds a holder to each of trees and returns those that have not ended. */
    public static Object fork(Object trees) {
        if (trees == null) {
            return null;
        }
        if (trees instanceof Tree t) {
            return t.fork() ? t : null;
        }
        Tree[] all = (Tree[]) trees;
        Tree[] open = new Tree[all.length];
        int n = 0;
        for (Tree t : all) {
            if (t.fork()) {
                open[n++] = t;
            }
        }
        return n == 0 ? null : n == open.length ? open : Arrays.copyOf(open, n);
    }

    /** A tuple that held trees is done. */
    public static void release(Object trees) {
        if (trees instanceof Tree t) {
            t.release();
        } else if (trees != null) {
            for (Tree t : (Tree[]) trees) {
                t.release();
            }
        }
    }

    /** A tuple that held trees has failed. */
    public static void fail(Object trees) {
        if (trees instanceof Tree t) {
            t.fail();
        } else if (trees != null) {
            for (Tree t : (Tree[]) trees) {
                t.fail();
            }
        }
    }

    /** Whether there is nothing more to do to trees. */
    public static boolean isOver(Object trees) {
        if (trees instanceof Tree t) {
            return t.holders <= 0 || t.isForgotten();
        }
        return trees == null || Arrays.stream((Tree[]) trees).allMatch(Tree::isOver);
    }

    public static void reset(Object trees) {
        if (trees instanceof Tree t) {
            t.reset();
        } else if (trees != null) {
            for (Tree t : (Tree[]) trees) {
                t.reset();
            }
        }
    }

    /** The trees of a tuple that is anchored to what has a, and to what has b. */
    public static Object join(Object a, Object b) {
        if (a == null || a == b) {
            return b;
        }
        if (b == null) {
            return a;
        }
        Tree[] more = b instanceof Tree t ? new Tree[] {t} : (Tree[]) b;
        Tree[] all = a instanceof Tree t ? new Tree[] {t} : (Tree[]) a;
        int n = all.length;
        all = Arrays.copyOf(all, n + more.length);
        for (Tree t : more) {
            if (!has(all, n, t)) {
                all[n++] = t;
            }
        }
        return n == 1 ? all[0] : Arrays.copyOf(all, n);
    }

    private static boolean has(Tree[] all, int n, Tree t) {
        for (int i = 0; i < n; i++) {
            if (all[i] == t) {
                return true;
            }
        }
        return false;
    }
}
