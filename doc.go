// Package gearstorm is the front door for programs that are topologies: a Go program built with package compat/storm
// that runs by itself, submits itself to a cluster, and is the worker that the cluster starts.
//
//	func main() {
//		gearstorm.Main(gearstorm.Program{Name: "hello", Define: define})
//	}
//
//	func define(b *storm.TopologyBuilder, args []string) error {
//		b.SetSpout("numbers", storm.SpoutFunc(next), 1).Fields("n")
//		b.SetBolt("print", storm.BoltFunc(show), 2).ShuffleGrouping("numbers")
//		return nil
//	}
//
// The program then answers to
//
//	hello run [options] [arguments]       runs the topology in this process, until it is interrupted
//	hello submit [options] [arguments]    uploads itself to a cluster and starts the topology there
//	hello plan [options] [arguments]      says what it would change of the topology of its name that runs
//	hello apply [options] [arguments]     puts itself in the place of that, and waits until the new version runs or was given up
//	hello describe [options] [arguments]  prints the topology in JSON, for "gearstorm doctor"
//	hello help                            says which options there are
//
// and to worker, the command with which a supervisor starts it. Define is called in each of these processes with the
// same arguments: submit and apply store them in the topology's configuration, under KeyArgs.
//
// What a supervisor gets is a zip file in the place of Storm's jar: gearstorm/manifest.json names what is in it,
// bin/<os>-<arch> is the program, resources/ holds the files of Program.Resources, where shell components run.
package gearstorm
