package gearstorm.jvmhost;

/** The inbox of a channel's task, for as long as the task is local, and its leave when it is not any more. Of the channel's thread. */
final class Home {
    private static final long LEAVE_NANOS = 30_000_000; // for what others had begun to send
    private static final long LOOK_AGAIN_NANOS = 100_000_000;

    private final Channel channel;
    private final Locals locals;
    private Inbox inbox; // null if the task is not local
    private boolean remote; // it was local
    private long leftAt; // when it was not any more; 0: said already

    Home(Channel channel, Locals locals) {
        this.channel = channel;
        this.locals = locals;
    }

    /** The task is known, and its code ready. */
    void begin() {
        Inbox local = locals.find(channel.task());
        if (local != null) {
            moveTo(local);
        }
    }

    private void moveTo(Inbox local) {
        if (inbox != null) {
            inbox.leave(channel);
            inbox.close(); // who had begun to add to it
        }
        inbox = local.open(channel) ? local : null;
    }

    /** Executes a parcel that has come from another task of the process; false if there is none. */
    boolean step(Work work) throws Exception {
        Parcel p = inbox == null ? null : inbox.next();
        if (p == null) {
            return false;
        }
        work.parcel(p);
        inbox.done();
        return true;
    }

    boolean hasParcel() {
        return inbox != null && inbox.next() != null;
    }

    /** Says once that nothing is under way to the task within the process, if it is not local any more. It returns how long to wait. */
    long leave(Work work) {
        Inbox local = locals.find(channel.task());
        if (local != null && local != inbox && (inbox == null || inbox.isEmpty())) { // it has come back
            moveTo(local);
        }
        if (local == inbox && (local != null || !locals.areKnown())) {
            remote = false;
            return Long.MAX_VALUE;
        }
        long now = System.nanoTime();
        if (!remote) {
            remote = true;
            leftAt = now;
        }
        if (leftAt == 0) {
            return LOOK_AGAIN_NANOS; // it may come back
        }
        if (now - leftAt < LEAVE_NANOS || inbox != null && !inbox.isEmpty() || work.holding()) {
            return LEAVE_NANOS;
        }
        leftAt = 0;
        channel.left();
        return LOOK_AGAIN_NANOS;
    }

    /** The channel has ended. */
    void end() {
        if (inbox != null) {
            inbox.leave(channel);
            if (locals.find(channel.task()) != inbox) {
                inbox.close();
            }
        }
    }
}
