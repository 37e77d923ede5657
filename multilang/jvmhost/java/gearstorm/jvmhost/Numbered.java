package gearstorm.jvmhost;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.function.Predicate;

/**
 * Objects by numbers that count up: 1, 2, and so on. They leave in about that order; one that stays for long keeps no more than
 * the few around it. Not safe for concurrent use.
 */
public final class Numbered {
    private static final int BITS = 6;
    private static final int ROWS = 1 << BITS;

    private static final class Page {
        final Object[] rows = new Object[ROWS];
        int left;
    }

    private final HashMap<Long, Page> pages = new HashMap<>();
    private Page newest; // the only one that may be empty
    private Page found; // the one that was asked for last
    private long foundAt = -1;
    private Page spare; // empty
    private long last;
    private int size;

    /** Adds an object, which is not null, and returns its number. */
    public long add(Object o) {
        int i = (int) (++last & ROWS - 1);
        if (newest == null || i == 0) {
            turn();
        }
        newest.rows[i] = o;
        newest.left++;
        size++;
        return last;
    }

    /** Begins the page of the last number. */
    private void turn() {
        if (newest != null && newest.left == 0) {
            drop(last - 1 >>> BITS, newest);
        }
        newest = spare == null ? new Page() : spare;
        spare = null;
        pages.put(last >>> BITS, newest);
    }

    private void drop(long at, Page p) {
        pages.remove(at);
        spare = p;
        if (foundAt == at) {
            foundAt = -1;
        }
    }

    private Page find(long at) {
        if (at != foundAt) {
            found = pages.get(at);
            foundAt = found == null ? -1 : at;
        }
        return found;
    }

    /** The object with a number, null if it is not there. */
    public Object get(long number) {
        Page p = find(number >>> BITS);
        return p == null ? null : p.rows[(int) (number & ROWS - 1)];
    }

    /** Takes the object with a number out, null if it is not there. */
    public Object take(long number) {
        long at = number >>> BITS;
        Page p = find(at);
        int i = (int) (number & ROWS - 1);
        if (p == null || p.rows[i] == null) {
            return null;
        }
        Object o = p.rows[i];
        p.rows[i] = null;
        size--;
        if (--p.left == 0 && p != newest) {
            drop(at, p);
        }
        return o;
    }

    public int size() {
        return size;
    }

    /** The number of the newest one, 0 if there was none yet. */
    public long last() {
        return last;
    }

    /** Takes out what has a number up to that one, and is over. */
    public void forget(long upTo, Predicate<Object> isOver) {
        for (long at : pages.keySet().toArray(new Long[0])) {
            long first = at << BITS;
            for (long n = first; n <= upTo && n < first + ROWS; n++) {
                Object o = get(n);
                if (o != null && isOver.test(o)) {
                    take(n);
                }
            }
        }
    }

    /** Takes everything out. */
    public List<Object> takeAll() {
        List<Object> all = new ArrayList<>(size);
        for (long at : pages.keySet().toArray(new Long[0])) {
            for (int i = 0; i < ROWS; i++) {
                Object o = take((at << BITS) + i);
                if (o != null) {
                    all.add(o);
                }
            }
        }
        return all;
    }
}
