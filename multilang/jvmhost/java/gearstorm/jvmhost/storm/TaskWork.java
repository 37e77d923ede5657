package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Parcel;
import gearstorm.jvmhost.Watch;
import gearstorm.jvmhost.Work;

/** The task of a channel: what it is, is known when it is prepared. */
final class TaskWork implements Work {
    private final Worker worker;
    private Work work;
    private Watch watch;

    TaskWork(Worker worker) {
        this.worker = worker;
    }

    @Override
    public void prepare(Channel channel) throws Exception {
        watch = Watch.task(channel, worker.callNanos());
        watch.enter();
        Component c = new Component(worker, channel, watch);
        Thread.currentThread().setName("Thread-" + c.task + "-" + c.name + "-executor[" + c.task + ", " + c.task + "]");
        work = c.isSpout() ? new SpoutWork(c) : new BoltWork(c);
        work.prepare(channel);
        watch.leave();
    }

    @Override
    public void row(long handle, int row, int stream, int source, boolean tracked, Object[] values) throws Exception {
        watch.enter();
        work.row(handle, row, stream, source, tracked, values);
        watch.leave();
    }

    @Override
    public void parcel(Parcel p) throws Exception {
        work.parcel(p);
    }

    @Override
    public boolean next(int calls) throws Exception {
        watch.enter();
        boolean emitted = work.next(calls);
        watch.leave();
        return emitted;
    }

    @Override
    public boolean ready() {
        return work.ready();
    }

    @Override
    public boolean step() throws Exception {
        watch.enter();
        boolean did = work.step();
        watch.leave();
        return did;
    }

    @Override
    public boolean waiting() {
        return work.waiting();
    }

    @Override
    public void worked() {
        work.worked();
    }

    @Override
    public boolean holding() {
        return work.holding();
    }

    @Override
    public void ended(boolean acked, long first, int count) throws Exception {
        watch.enter();
        work.ended(acked, first, count);
        watch.leave();
    }

    @Override
    public void status(boolean active) throws Exception {
        watch.enter();
        work.status(active);
        watch.leave();
    }

    @Override
    public boolean keeps() {
        return work.keeps();
    }

    @Override
    public byte[] freeze(long epoch) throws Exception {
        watch.enter();
        try {
            return work.freeze(epoch);
        } finally { // the task goes on after an exception
            watch.leave();
        }
    }

    @Override
    public void commit(long epoch) throws Exception {
        watch.enter();
        work.commit(epoch);
        watch.leave();
    }

    @Override
    public void follow(long graph) throws Exception {
        work.follow(graph);
    }

    @Override
    public void close() {
        if (watch != null) {
            watch.end();
        }
        if (work != null) {
            work.close();
        }
    }
}
