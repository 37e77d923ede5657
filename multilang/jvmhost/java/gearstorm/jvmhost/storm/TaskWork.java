package gearstorm.jvmhost.storm;

import gearstorm.jvmhost.Channel;
import gearstorm.jvmhost.Work;

/** The task of a channel: what it is, is known when it is prepared. */
final class TaskWork implements Work {
    private final Worker worker;
    private Work work;

    TaskWork(Worker worker) {
        this.worker = worker;
    }

    @Override
    public void prepare(Channel channel) throws Exception {
        Component c = new Component(worker, channel);
        Thread.currentThread().setName("Thread-" + c.task + "-" + c.name + "-executor[" + c.task + ", " + c.task + "]");
        work = c.isSpout() ? new SpoutWork(c) : new BoltWork(c);
        work.prepare(channel);
    }

    @Override
    public void row(long handle, int row, int stream, int source, Object[] values) throws Exception {
        work.row(handle, row, stream, source, values);
    }

    @Override
    public void next(int calls) throws Exception {
        work.next(calls);
    }

    @Override
    public void ended(boolean acked, long first, int count) throws Exception {
        work.ended(acked, first, count);
    }

    @Override
    public void status(boolean active) throws Exception {
        work.status(active);
    }

    @Override
    public void close() {
        if (work != null) {
            work.close();
        }
    }
}
