package gearstorm.jvmhost;

import java.util.Arrays;

/** A serialized object of a class that is not loaded here: it goes on as it came. The hash is that of the object. */
public record Opaque(String className, int hash, byte[] bytes) {
    @Override
    public int hashCode() {
        return hash;
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Opaque q && className.equals(q.className) && Arrays.equals(bytes, q.bytes);
    }
}
