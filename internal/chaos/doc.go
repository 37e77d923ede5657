// Package chaos proves on running clusters that nothing is lost: a topology that checks itself, faults chosen by a seed, and
// the figures of each fault.
//
// The topology (Define) has three components. Sources emit numbered records at a steady rate and replay what fails; relays
// pass them on; sinks write down what arrived, by fields grouping. All of it stands in files of fixed-size records that
// outlive every kill of a process (see ledger.go), so the figures do not depend on anything the cluster itself says.
// Checker adds the files up; it holds no clock and no file. Watch reads them twenty times a second, which also gives the
// throughput from which recovery is measured.
//
// Cluster runs daemons as processes, each with a storm.yaml of its own and, with Namespaces, in a network of its own whose
// link can be cut. Whatever ends this process, a second process of the same binary (Reap) ends what is left of the
// cluster: processes, links, files.
//
// Choose picks faults: a pure function of a random source and of a View of the cluster. Runner puts all of it together; it is
// `gearstorm verify`. The fault tests in package integration use the parts.
package chaos
