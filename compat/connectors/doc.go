// Package connectors gives topologies that are written in YAML the sources and sinks of gearcore/connect, by class names:
//
//	gearstorm.file.Source, gearstorm.file.Sink, gearstorm.kafka.Source, gearstorm.kafka.Sink, gearstorm.redis.Sink
//
// Their properties are those of the options in Go; Kafka's have the names that Kafka and storm-kafka-client give them (docs/connectors.md). So a
// topology whose bolts are in Python or Node counts each record once without a line of Go:
//
//	spouts:
//	  - id: lines
//	    className: gearstorm.file.Source
//	    properties:
//	      - {name: paths, value: ["/data/in/*.txt"]}
//	      - {name: follow, value: true}
//
// What is wrong with the properties is told when the YAML is read. They go along in the configuration of the component (Key), so a change of them
// replaces it.
package connectors
