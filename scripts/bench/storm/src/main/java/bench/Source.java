package bench;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import org.apache.storm.spout.SpoutOutputCollector;
import org.apache.storm.task.TopologyContext;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.base.BaseRichSpout;
import org.apache.storm.tuple.Fields;

/** Emits one string for ever, or a new copy each time, at full speed or at a rate. The twin of source in scripts/bench. */
final class Source extends BaseRichSpout {
    static final String SENTENCE = "the cow jumped over the moon";
    /** A power of two over the tuples in flight wherever latency is measured. */
    private static final int STAMPS = 1 << 16;

    private final Shape shape;
    private transient SpoutOutputCollector collector;
    private transient Probe.Tally tally;
    private transient String payload;
    private transient byte[] letters;
    private transient long[] stamps;
    private transient boolean idle;
    private long n;
    private long acked;
    private long due;

    Source(Shape shape) {
        this.shape = shape;
    }

    @Override
    public void declareOutputFields(OutputFieldsDeclarer d) {
        d.declare(new Fields("text"));
    }

    @Override
    public void open(Map<String, Object> conf, TopologyContext context, SpoutOutputCollector collector) {
        this.collector = collector;
        tally = Probe.join(shape.listener, context.getThisComponentId());
        payload = "x".repeat(shape.bytes);
        if (shape.script.contains("split")) {
            payload = SENTENCE;
        }
        letters = payload.getBytes(StandardCharsets.ISO_8859_1);
        stamps = new long[shape.rate > 0 ? STAMPS : 0];
        due = System.nanoTime();
    }

    @Override
    public void nextTuple() {
        if (shape.kind.equals("idle") && n > 0) {
            return;
        }
        if (shape.rate > 0 && !isDue()) {
            return;
        }
        long id = n++;
        if (!shape.acked) {
            collector.emit(Collections.singletonList(text(id)));
        } else {
            if (shape.rate > 0) {
                stamps[(int) id & (STAMPS - 1)] = System.nanoTime();
            }
            collector.emit(Collections.singletonList(text(id)), id);
        }
        if ((n & (Probe.PUBLISH_EVERY - 1)) == 0) {
            tally.emitted = n;
        }
    }

    private boolean isDue() {
        long now = System.nanoTime();
        if (now < due) {
            return false;
        }
        due += 1_000_000_000L / shape.rate;
        if (now - due > 1_000_000_000L) {
            due = now;
        }
        return true;
    }

    /** The payload; where fresh, a string of its own with two letters that change and always have the same sum. */
    private String text(long id) {
        if (!shape.fresh) {
            return payload;
        }
        byte up = (byte) (id % 26);
        letters[0] = (byte) ('a' + up);
        letters[1] = (byte) ('z' - up);
        return new String(letters, StandardCharsets.ISO_8859_1);
    }

    @Override
    public void ack(Object id) {
        acked++;
        if (idle || (acked & (Probe.PUBLISH_EVERY - 1)) == 0) {
            tally.acked = acked;
        }
        if (shape.rate > 0) {
            tally.took(System.nanoTime() - stamps[(int) ((Long) id & (STAMPS - 1))]);
        }
    }

    @Override
    public void fail(Object id) {
        tally.failed++;
    }

    @Override
    public void activate() {
        idle = false;
    }

    @Override
    public void deactivate() {
        idle = true;
        tally.emitted = n;
        tally.acked = acked;
    }
}
