package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Tree;

/** The tree of a spout's tuple, which the spout keeps itself. */
final class Root extends Tree {
    private final Roots book;
    final Object id;
    final int stream;
    final long began = System.nanoTime();
    volatile int age; // the book's, when it was emitted or reset

    Root older, newer; // among those that have not ended; guarded by the pen
    Root next; // among those that have

    Root(Roots book, Object id, int stream, int age) {
        super(1);
        this.book = book;
        this.id = id;
        this.stream = stream;
        this.age = age;
    }

    @Override
    protected void ended(boolean acked) {
        book.ended(this);
    }

    @Override
    protected boolean isForgotten() {
        return false; // it fails when its time is over
    }

    @Override
    protected void reset() {
        age = book.age();
    }
}
