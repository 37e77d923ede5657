// Package flux reads topologies in the YAML of Storm's Flux, without a JVM: [Load] gives the Thrift topology and the
// conf that a submit sends, [Read] what a definition consists of, whether it can be run or not.
//
// All of Flux's keys are read. What a class name stands for is limited to what needs no JVM: FluxShellSpout and
// FluxShellBolt, Go components (compat.GoClass, or any name that [Options].Classes knows), PartialKeyGrouping, and
// Fields as a component for others to refer to. Everything else, topologySource and workerHooks included, is an error.
//
// Every error begins with "file:line: ". Files are bounded as configurations are (conf.MaxFileBytes, conf.MaxNodes after
// aliases). Where Flux goes on with a warning in its log, so does Load, in [Topology].Warnings. Stricter than Flux:
// unknown keys, a thing defined twice in a file, streams and fields that do not exist. Wider: any number of variables on
// a line, where Flux replaces one.
package flux
