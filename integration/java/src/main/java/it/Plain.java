package it;

/** A class that Java itself cannot serialize: Kryo can, where it is registered. */
public class Plain {
    int number;

    @Override
    public String toString() {
        return "plain " + number;
    }
}
