package gearstorm.jvmhost;

/** A tuple as the Go side knows it: the frame that it came in, and its place there. */
public interface Ref {
    long handle();

    int row();
}
