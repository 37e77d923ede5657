// Package compat turns what Storm's clients submit into what the engine runs, and back.
//
//	submit      [Normalize]: the conf and topology that are stored (Nimbus, once)
//	            [PlaceShells]: shell subclasses with methods of their own go to the JVM (Nimbus, once; it has the jar)
//	everywhere  [Compile]: stored topology + stored conf -> dag.Graph
//	show        [SystemTopology], [Describe]: what getTopology answers with
//
// Compile is deterministic: Nimbus and every worker call it with the same stored bytes and get the same graph, and so
// the same task ids. All functions are pure and leave their arguments as they are; results may share parts of them.
//
// Components that run are Thrift shell components, ShellBolt and ShellSpout subclasses read out of their Java
// serialization, Go components, and whatever else is serialized Java: that goes as it is to a Java process of the worker.
//
// Two reserved classes let a JavaObject stand for what Thrift has no field for, so that every Storm tool can still read
// the topology: [GoClass] and [ShellClass].
//
// Rules and texts follow StormCommon, Nimbus.normalizeConf and ServerUtils of Storm 2.8.
package compat
