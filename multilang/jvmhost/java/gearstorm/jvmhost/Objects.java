package gearstorm.jvmhost;

/**
 * Turns objects of classes that the Go side does not know into bytes and back. wrap is called by one thread at a time,
 * unwrap by the thread of the channel.
 */
public interface Objects {
    /** Leaves opaque values as they are, and knows no others. */
    Objects NONE = new Objects() {
        @Override
        public boolean plain(Object listOrMap) {
            return true;
        }

        @Override
        public Opaque wrap(Object o) {
            throw new IllegalArgumentException("no encoding for a " + o.getClass().getName());
        }

        @Override
        public Object unwrap(Opaque o) {
            return o;
        }
    };

    /** Whether a list or a map may come back as another class of list or map. */
    boolean plain(Object listOrMap);

    Opaque wrap(Object o);

    Object unwrap(Opaque o);
}
