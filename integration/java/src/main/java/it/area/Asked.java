package it.area;

import it.Reach;
import it.TridentCount;
import java.nio.file.Path;
import java.util.List;
import org.apache.storm.Config;
import org.apache.storm.ILocalDRPC;
import org.apache.storm.generated.StormTopology;

/** A topology whose results are what it answers to questions, by DRPC. The function has the name of the area. */
abstract class Asked implements Area {
    private static final int SENTENCES = 100;

    final String function;
    final List<String> questions;

    private Asked(String function, String... questions) {
        this.function = function;
        this.questions = List.of(questions);
    }

    /** Builds the topology for a DRPC server of this process, or for those of a cluster if drpc is null. */
    abstract StormTopology build(Config conf, ILocalDRPC drpc);

    @Override
    public StormTopology build(Config conf) {
        return build(conf, null);
    }

    /** The linear topology that says how many people a page reaches. */
    static Asked reach() {
        return new Asked("drpc-reach", "page 0", "page 1", "page 7", "page 40", "nothing") {
            @Override
            StormTopology build(Config conf, ILocalDRPC drpc) {
                conf.setNumWorkers(2);
                return Reach.topology(function, drpc);
            }
        };
    }

    /** Trident's word count with a sort of spout and the state that goes with it. */
    static Asked trident(String function, String kind, String... questions) {
        return new Asked(function, questions) {
            @Override
            StormTopology build(Config conf, ILocalDRPC drpc) {
                conf.put(Config.TOPOLOGY_TRIDENT_BATCH_EMIT_INTERVAL_MILLIS, 50);
                conf.put("it.dir", Path.of((String) conf.get(Results.FILE)).getParent().toString()); // for the state, if it is kept in files
                return TridentCount.topology(kind, function, SENTENCES, drpc);
            }
        };
    }
}
