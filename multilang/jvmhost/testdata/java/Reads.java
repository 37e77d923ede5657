package gearstorm.jvmhost;

/** Acks a tuple if there is nothing to read from standard input. */
public final class Reads implements Bolt {
    private Channel channel;

    public static void main(String[] args) throws Exception {
        Host.run(() -> Bolt.work(new Reads()));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
    }

    @Override
    public void execute(Tuple t) throws Exception {
        if (System.in.read() == -1) {
            channel.ack(t);
        } else {
            channel.fail(t);
        }
    }
}
