// Package shim is what a worker's process runs before it becomes the worker: it does to itself what an isolate.Entry says
// and then executes the worker's program, under the same process number. A step that cannot be done ends the process and
// is told to the supervisor, so no worker ever runs with less than it was to have.
//
// The order matters: the group comes first so that nothing escapes its limits, the user before the sandbox because a
// sandboxed process may not change it, and system calls last because the steps before need some that are refused then.
//
// Programs that start workers call Main when they find isolate.EntryCommand as their first argument, before anything else.
package shim

import (
	"fmt"
	"os"
	"strconv"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// failed is the exit status of a process that did not become a worker.
const failed = 126

// Main runs the shim with the arguments behind isolate.EntryCommand. It returns only if something failed.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "this command is for supervisors only")
		return failed
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil || fd < isolate.SpecFD {
		fmt.Fprintf(os.Stderr, "%q is no descriptor\n", args[0])
		return failed
	}
	e, failures, err := isolate.ReadEntry(fd)
	if err == nil {
		err = enter(e)
	}
	if failures != nil {
		fmt.Fprint(failures, err)
	}
	fmt.Fprintln(os.Stderr, "worker not started:", err)
	return failed
}
