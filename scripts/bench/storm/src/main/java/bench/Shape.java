package bench;

import java.io.Serializable;
import java.util.Map;

/** What is measured, as scripts/bench describes it to both sides: the configuration key "bench". */
final class Shape implements Serializable {
    static final String KEY = "bench";

    final String kind;
    final String script;
    final String listener;
    final int bytes;
    final int tasks;
    final int rate;
    final boolean acked;
    final boolean fresh;
    final boolean read;

    Shape(Map<?, ?> m) {
        kind = text(m, "kind");
        script = text(m, "script");
        listener = text(m, "listener");
        bytes = number(m, "bytes");
        tasks = number(m, "tasks");
        rate = number(m, "rate");
        acked = Boolean.TRUE.equals(m.get("acked"));
        fresh = Boolean.TRUE.equals(m.get("fresh"));
        read = Boolean.TRUE.equals(m.get("read"));
    }

    private static String text(Map<?, ?> m, String key) {
        Object o = m.get(key);
        return o == null ? "" : o.toString();
    }

    private static int number(Map<?, ?> m, String key) {
        Object o = m.get(key);
        return o == null ? 0 : ((Number) o).intValue();
    }
}
