package gearstorm.jvmhost;

/** Tuples from one task to another of the process. It belongs to who fills it, then to who executes it. */
public final class Parcel {
    static final int ROWS = 256;

    public final Object[] rows = new Object[ROWS];
    public int n;
    public int at; // the next one to be executed
}
