// Package zktest starts real ZooKeeper servers for tests: one, or an ensemble of three, on free loopback ports, with their
// state in a folder that goes with them. Servers can be killed, stopped in their tracks and started again.
//
// A server is a child process that the kernel kills when this process ends, however it ends (on Linux). It needs java and the
// jars that scripts/get-zookeeper.sh puts under .tools; [Start] returns [ErrMissing] without them, [New] skips the test, or
// fails it when CI=true.
package zktest
