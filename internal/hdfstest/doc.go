// Package hdfstest starts a real HDFS for tests: a name node, a data node and, if wanted, an HttpFS gateway, each a process of its own on
// loopback ports, with their state in a folder that goes with them. Each can be killed and started again.
//
// It needs java and the jars that scripts/get-hdfs.sh puts under .tools; [New] skips the test without them, or fails it when CI=true.
package hdfstest
