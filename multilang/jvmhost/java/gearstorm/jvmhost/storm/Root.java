package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Tree;

/** The tree of a spout's tuple, which the spout keeps itself. */
final class Root extends Tree {
    final SpoutWork spout;
    final Object id;
    final int stream;
    final long began = System.nanoTime();
    volatile int age; // the spout's, when it was emitted or reset

    Root older, newer; // among those of the spout that have not ended; guarded by the pen
    Root next; // among those that have

    Root(SpoutWork spout, Object id, int stream, int age) {
        super(1);
        this.spout = spout;
        this.id = id;
        this.stream = stream;
        this.age = age;
    }

    @Override
    protected void ended(boolean acked) {
        spout.ended(this);
    }

    @Override
    protected void reset() {
        age = spout.age();
    }
}
