package worker

import (
	"fmt"
	"strings"

	"github.com/gearstorm/gearstorm/multilang/jvmhost"
)

// explain tells what a loss of the process mostly means, and what helps.
func (j *javaSide) explain(lost *jvmhost.LostError) string {
	said := func(text string) bool { return strings.Contains(lost.Output, text) }
	switch {
	case said("unable to create native thread"):
		return "it could not start one more thread: gearstorm.worker.pids.max bounds the threads and processes of a worker, and the node may"
	case said("OutOfMemoryError: Metaspace"), said("OutOfMemoryError: Compressed class space"):
		return fmt.Sprintf("there was no room for more classes; %s sets it (-XX:MaxMetaspaceSize, -XX:CompressedClassSpaceSize)", childOptsKey)
	case said("OutOfMemoryError"):
		return fmt.Sprintf("it ran out of memory under %s; its heap is set by %s (-Xmx), else by what was scheduled, else by %s", j.heapLimit, childOptsKey, heapKey)
	case said("Could not reserve enough space"), said("insufficient memory for the Java Runtime"):
		return fmt.Sprintf("the node has not the memory for %s; the heap is set by %s (-Xmx), else by what was scheduled, else by %s", j.heapLimit, childOptsKey, heapKey)
	case said("Could not create the Java Virtual Machine"):
		return fmt.Sprintf("an option of it is wrong: %s, %s or %s", childOptsKey, gcChildOptsKey, nodeChildOptsKey)
	case lost.Cause == nil && lost.Exit == "exit status 11":
		return "a ShellBolt or ShellSpout ended the process because its child ended, as it does in Storm"
	case lost.Cause == nil && strings.HasPrefix(lost.Exit, "exit status"):
		return "it ended by itself, as it does when user code calls System.exit"
	case lost.Cause == nil && lost.Exit == "signal: killed":
		return "somebody else killed it; the kernel does where the memory of the node or of the worker's control group is used up"
	}
	return ""
}

// heapLimit returns the option by which the heap is bounded: of several the last.
func heapLimit(args []string) (last string) {
	for _, a := range args {
		if strings.HasPrefix(a, "-Xmx") || strings.HasPrefix(a, "-XX:MaxRAMPercentage=") || strings.HasPrefix(a, "-XX:MaxHeapSize=") {
			last = a
		}
	}
	return last
}
