// Package cgroup is the isolation of workers by control groups of the kernel, versions 1 and 2.
//
// # Layout
//
// Every supervisor has a root of its own, named after its node, and every worker a group in it:
//
//	version 1   <mount of the controller>/<name>/<node>/<worker>     in each controller that is there
//	version 2   <delegated group or mount>/<name>/<node>/<worker>
//
// Nothing outside that root is written, with one exception that version 2 asks for: a controller reaches a group only if
// all groups above it pass it on, so below the mount, or below the group that was delegated to the supervisor, missing
// controllers are enabled in cgroup.subtree_control on the way down. Where a delegated group holds the supervisor itself, it
// moves into a leaf of its own first, because such a group may not hold processes. Nothing is ever mounted.
//
// A group exists from before its worker starts until after the last process in it ended. Its name is the worker id, so the
// next supervisor finds it again; what is left of a supervisor that was killed is swept by the next one.
//
// # What github.com/opencontainers/cgroups does here
//
// It writes the limits and reads the counters. It does not make groups or put processes into them: for version 2 its Apply
// enables every controller in every group from the mount down and believes in /sys/fs/cgroup, for version 1 it looks for
// paths of its own.
package cgroup
