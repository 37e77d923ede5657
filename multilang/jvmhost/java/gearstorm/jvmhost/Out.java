package gearstorm.jvmhost;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A growing buffer of bytes to be written, in the encoding that the Go package describes. */
final class Out {
    static final int MAX_DEPTH = 64;

    byte[] a = new byte[64 << 10];
    int n;

    void need(int more) {
        if (a.length - n < more) {
            a = Arrays.copyOf(a, Math.max(2 * a.length, Math.addExact(n, more)));
        }
    }

    void u8(int v) {
        need(1);
        a[n++] = (byte) v;
    }

    void u32(int v) {
        need(4);
        putU32(n, v);
        n += 4;
    }

    void putU32(int at, int v) {
        a[at] = (byte) v;
        a[at + 1] = (byte) (v >> 8);
        a[at + 2] = (byte) (v >> 16);
        a[at + 3] = (byte) (v >> 24);
    }

    void u64(long v) {
        u32((int) v);
        u32((int) (v >>> 32));
    }

    void uvarint(long v) {
        need(10);
        while ((v & ~0x7FL) != 0) {
            a[n++] = (byte) (v | 0x80);
            v >>>= 7;
        }
        a[n++] = (byte) v;
    }

    void varint(long v) {
        uvarint(v << 1 ^ v >> 63);
    }

    void bytes(byte[] b) {
        uvarint(b.length);
        raw(b);
    }

    void raw(byte[] b) {
        raw(b, 0, b.length);
    }

    /** Adds b[from, from+count). */
    void raw(byte[] b, int from, int count) {
        need(count);
        System.arraycopy(b, from, a, n, count);
        n += count;
    }

    void text(String s) {
        bytes(s.getBytes(StandardCharsets.UTF_8));
    }

    /** The kinds are those of gearcore.Kind. */
    void value(Object v, int depth, Objects objects) {
        if (v instanceof String s) {
            u8(9);
            text(s);
        } else if (v == null) {
            u8(0);
        } else if (v instanceof Integer i) {
            u8(5);
            varint(i);
        } else if (v instanceof Long l) {
            u8(6);
            varint(l);
        } else if (v instanceof Boolean b) {
            u8(1);
            u8(b ? 1 : 0);
        } else if (v instanceof Double d) {
            u8(8);
            u64(Double.doubleToRawLongBits(d));
        } else if (v instanceof Float f) {
            u8(7);
            u32(Float.floatToRawIntBits(f));
        } else if (v instanceof byte[] b) {
            u8(10);
            bytes(b);
        } else if (v instanceof Byte b) {
            u8(2);
            varint(b);
        } else if (v instanceof Short s) {
            u8(3);
            varint(s);
        } else if (v instanceof Character c) {
            u8(4);
            varint(c);
        } else if (v instanceof BigInteger b) {
            u8(11);
            bigInteger(b);
        } else if (v instanceof Opaque o) {
            opaque(o);
        } else {
            nested(v, depth, objects);
        }
    }

    private void opaque(Opaque o) {
        u8(14);
        text(o.className());
        u32(o.hash());
        bytes(o.bytes());
    }

    private void bigInteger(BigInteger b) {
        u8(b.signum() + 1);
        byte[] mag = b.abs().toByteArray();
        int skip = mag[0] == 0 ? 1 : 0; // the sign bit's own byte, and all of zero
        bytes(Arrays.copyOfRange(mag, skip, mag.length));
    }

    private void nested(Object v, int depth, Objects objects) {
        if (depth >= MAX_DEPTH) {
            throw new IllegalArgumentException("lists and maps nest deeper than " + MAX_DEPTH);
        }
        if (v instanceof List<?> l && objects.plain(v)) {
            u8(12);
            uvarint(l.size());
            for (Object e : l) {
                value(e, depth + 1, objects);
            }
        } else if (v instanceof Map<?, ?> m && objects.plain(v)) {
            u8(13);
            uvarint(m.size());
            for (Map.Entry<?, ?> e : m.entrySet()) {
                value(e.getKey(), depth + 1, objects);
                value(e.getValue(), depth + 1, objects);
            }
        } else {
            opaque(objects.wrap(v));
        }
    }
}
