// Package kafkatest starts a real Kafka broker for tests: broker and controller in one process, on free loopback ports, with its
// state in a folder that goes with it. It can be killed and started again.
//
// It needs java and the jars that scripts/get-kafka.sh puts under .tools; [Start] returns testserver.ErrMissing without them,
// [New] skips the test, or fails it when CI=true.
package kafkatest
