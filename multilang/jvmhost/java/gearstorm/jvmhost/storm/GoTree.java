package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Ref;
import gearstorm.jvmhost.Tree;

/** The tree, or trees, of a tuple that came over a channel: settled there when nothing of it is left in this process. */
final class GoTree extends Tree {
    private final Channel channel;
    private final Ref tuple;

    GoTree(Channel channel, Ref tuple) {
        super(1);
        this.channel = channel;
        this.tuple = tuple;
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
    protected void reset() {
        channel.resetTimeout(tuple);
    }
}
