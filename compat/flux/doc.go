// Package flux reads topologies in the YAML of Storm's Flux: [Load] gives the Thrift topology and the conf that a submit
// sends, [Read] what a definition consists of, whether it can be run or not.
//
// All of Flux's keys are read. Some classes need no JVM: FluxShellSpout and FluxShellBolt, DRPCSpout and ReturnResults, Go
// components (compat.GoClass, or any name that [Options].Classes knows), PartialKeyGrouping, compat.KeyGroupsClass, and Fields as a component for
// others to refer to. If there are only those, none is started. Else [JVM] makes the whole topology: our Java side
// (multilang/jvmhost/java, package flux) makes the objects by reflection as Flux does and declares them to Storm's own
// TopologyBuilder, with stand-ins for the components that need no Java, whose real objects are put in afterwards. Each object
// is so made and serialized once, where the definition is, and workers get what Storm's client would send.
//
// Every error begins with "file:line: ". Files are bounded as configurations are (conf.MaxFileBytes, conf.MaxNodes after
// aliases). Where Flux goes on with a warning in its log, so does Load, in [Topology].Warnings. Stricter than Flux:
// unknown keys, a thing defined twice in a file, streams and fields that do not exist. Wider: any number of variables on
// a line, where Flux replaces one; components in any order; empty lists for arrays; conversions of elements and public fields.
package flux
