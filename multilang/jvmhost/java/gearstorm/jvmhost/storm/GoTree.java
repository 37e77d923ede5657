package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Ref;
import gearstorm.jvmhost.Tree;

/** The tree, or trees, of a tuple that came over a channel: settled there when nothing of it is left in this process. */
final class GoTree extends Tree {
    private static final int OLD = 4; // message timeouts: Go has forgotten the row, which nobody settled or reset

    private final Channel channel;
    private final Ref tuple;
    private volatile int age; // the channel's, when it began or was reset

    GoTree(Channel channel, Ref tuple) {
        super(1);
        this.channel = channel;
        this.tuple = tuple;
        this.age = channel.age();
    }

    @Override
    protected void ended(boolean acked) {
        if (acked) {
            channel.ack(tuple);
        } else {
            channel.fail(tuple);
        }
    }

    @Override
    protected boolean isForgotten() {
        return channel.age() - age > OLD;
    }

    @Override
    protected void reset() {
        age = channel.age();
        channel.resetTimeout(tuple);
    }
}
