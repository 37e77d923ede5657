package gearstorm.jvmhost;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.Predicate;

/** Checks Numbered against a map, with objects that leave in about the order they came, some of them late or never. */
public final class NumberedCheck {
    private final Numbered numbered = new Numbered();
    private final Map<Long, Object> want = new HashMap<>();

    public static void main(String[] args) {
        NumberedCheck c = new NumberedCheck();
        for (long seed = 0; seed < 50; seed++) {
            c.round(new Random(seed));
        }
        if (c.numbered.takeAll().size() != c.want.size() || c.numbered.size() != 0) {
            throw new AssertionError("takeAll left " + c.numbered.size());
        }
        System.out.println("as expected");
    }

    private void round(Random r) {
        for (int i = 0; i < 2000; i++) {
            if (r.nextInt(3) > 0) {
                Object o = new Object();
                want.put(numbered.add(o), o);
            }
            long number = numbered.last() - (r.nextInt(20) == 0 ? r.nextInt(1000) : r.nextInt(70));
            same(want.get(number), numbered.get(number));
            same(want.remove(number), numbered.take(number));
            same(null, numbered.take(number));
            if (numbered.size() != want.size()) {
                throw new AssertionError("it has " + numbered.size() + ", not " + want.size());
            }
        }
        long upTo = numbered.last() - r.nextInt(300);
        Predicate<Object> isOver = o -> o.hashCode() % 5 > 0;
        numbered.forget(upTo, isOver);
        want.entrySet().removeIf(e -> e.getKey() <= upTo && isOver.test(e.getValue()));
        for (long n : new TreeSet<>(want.keySet())) {
            same(want.get(n), numbered.get(n));
        }
        same(null, numbered.get(numbered.last() + 1));
    }

    private static void same(Object want, Object got) {
        if (want != got) {
            throw new AssertionError("got " + got + ", not " + want);
        }
    }
}
