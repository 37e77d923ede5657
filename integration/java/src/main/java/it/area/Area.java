package it.area;

import org.apache.storm.Config;
import org.apache.storm.generated.StormTopology;

/**
 * A topology for one part of Storm's interface. Its results must be the same wherever, on however many workers and however
 * fast it runs.
 */
interface Area {
    /** Builds the topology; what it needs of the configuration goes into conf. */
    StormTopology build(Config conf);
}
