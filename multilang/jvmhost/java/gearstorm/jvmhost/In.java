package gearstorm.jvmhost;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One frame that came: its bytes and how far they were read. Reading past its end throws. */
final class In {
    byte[] a;
    int at;
    int end;

    /** Makes this a copy of b[from, from+n). */
    void set(byte[] b, int from, int n) {
        if (a == null || a.length < n) {
            a = new byte[Math.max(n, 64 << 10)];
        }
        System.arraycopy(b, from, a, 0, n);
        at = 0;
        end = n;
    }

    private int take(int n) {
        if (n < 0 || n > end - at) {
            throw new IllegalStateException("frame ends too early");
        }
        int was = at;
        at += n;
        return was;
    }

    int u8() {
        return a[take(1)] & 0xFF;
    }

    /** The byte that u8 returns next. */
    int peek() {
        int v = u8();
        at--;
        return v;
    }

    /** Gives out all that was not read. */
    void rest(ByteArrayOutputStream out) {
        out.write(a, at, end - at);
        at = end;
    }

    int u32() {
        int i = take(4);
        return a[i] & 0xFF | (a[i + 1] & 0xFF) << 8 | (a[i + 2] & 0xFF) << 16 | (a[i + 3] & 0xFF) << 24;
    }

    long u64() {
        return u32() & 0xFFFFFFFFL | (long) u32() << 32;
    }

    long uvarint() {
        long v = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            int b = u8();
            v |= (long) (b & 0x7F) << shift;
            if (b < 0x80) {
                return v;
            }
        }
        throw new IllegalStateException("number of more than 64 bits");
    }

    long varint() {
        long u = uvarint();
        return u >>> 1 ^ -(u & 1);
    }

    /** A count of things that take a byte at least. */
    int count() {
        long n = uvarint();
        if (n < 0 || n > end - at) {
            throw new IllegalStateException(n + " things do not fit the frame");
        }
        return (int) n;
    }

    String text() {
        int n = count();
        return new String(a, take(n), n, StandardCharsets.UTF_8);
    }

    byte[] bytes() {
        int n = count();
        int from = take(n);
        return Arrays.copyOfRange(a, from, from + n);
    }

    Object value(int depth, Objects objects) {
        int kind = u8();
        switch (kind) {
            case 0: return null;
            case 1: return u8() == 1;
            case 2: return (byte) varint();
            case 3: return (short) varint();
            case 4: return (char) varint();
            case 5: return (int) varint();
            case 6: return varint();
            case 7: return Float.intBitsToFloat(u32());
            case 8: return Double.longBitsToDouble(u64());
            case 9: return text();
            case 10: return bytes();
            case 11: return new BigInteger(u8() - 1, bytes());
            case 12: return list(depth, objects);
            case 13: return map(depth, objects);
            case 14: return objects.unwrap(new Opaque(text(), u32(), bytes()));
            default: throw new IllegalStateException("value of kind " + kind);
        }
    }

    private List<Object> list(int depth, Objects objects) {
        if (depth >= Out.MAX_DEPTH) {
            throw new IllegalStateException("lists and maps nest too deep");
        }
        int n = count();
        List<Object> l = new ArrayList<>(Math.min(n, 1024));
        for (int i = 0; i < n; i++) {
            l.add(value(depth + 1, objects));
        }
        return l;
    }

    private Map<Object, Object> map(int depth, Objects objects) {
        if (depth >= Out.MAX_DEPTH) {
            throw new IllegalStateException("lists and maps nest too deep");
        }
        int n = count();
        Map<Object, Object> m = new LinkedHashMap<>();
        for (int i = 0; i < n; i++) {
            m.put(value(depth + 1, objects), value(depth + 1, objects));
        }
        return m;
    }
}
