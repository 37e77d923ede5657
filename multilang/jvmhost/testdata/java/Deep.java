package gearstorm.jvmhost;

import java.util.List;

/** Emits each tuple of two numbers again, after having tried to emit one whose second value is too deep to be written. */
public final class Deep implements Bolt {
    private static final class Endless implements Objects {
        @Override
        public boolean plain(Object listOrMap) {
            return true;
        }

        @Override
        public Opaque wrap(Object o) {
            return wrap(new Object[] {o});
        }

        @Override
        public Object unwrap(Opaque o) {
            return o;
        }
    }

    private Channel channel;
    private int refused;

    public static void main(String[] args) throws Exception {
        Host.run(() -> Bolt.work(new Deep()));
    }

    @Override
    public void prepare(Channel c) {
        channel = c;
        c.objects(new Endless());
    }

    @Override
    public void execute(Tuple t) throws Exception {
        try {
            channel.emit(0, null, List.of(-1L, new Object()), t);
        } catch (StackOverflowError e) {
            refused++;
        }
        channel.emit(0, null, List.of(t.values.get(0), (long) refused), t);
        channel.ack(t);
    }
}
