// Command gearstorm is the whole product in one binary: a development cluster (dev), the daemons (nimbus, supervisor, drpc),
// topologies from YAML, Go programs and jars (run, submit, jar, local), what of them runs (doctor), a live view (top), a
// simulator of scheduling (simulate) and Storm's commands.
//
// Called by the name storm (scripts/storm), it prints what Storm's commands print, to the letter. A command exits with 0
// when it is done, with 1 and one line on standard error when something went wrong, with 2 when the command line is
// wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/isolate/shim"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" { // no time for a command tree on the way to the first tuple
		os.Exit(workerMain())
	}
	if len(os.Args) > 1 && os.Args[1] == isolate.EntryCommand { // the supervisor's, on the way to a worker
		os.Exit(shim.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == chaos.ReapCommand {
		os.Exit(reapMain(os.Args[2:]))
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { signal.Reset(syscall.SIGINT) }) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// usageError is a mistake in the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// exitError ends a command with a status of its own, after a line on standard error unless why is empty.
type exitError struct {
	code int
	why  string
}

func (e exitError) Error() string { return e.why }

// errTold ends a command with 1 that has said why.
var errTold = exitError{code: 1}

// badValue is a value that Storm's Java side refuses, so that its command ends with 1, not with 2 as for what its parser
// of the command line refuses.
func badValue(c *cli.Context, format string, args ...any) error {
	if asStorm(c) {
		return fmt.Errorf(format, args...)
	}
	return usagef(format, args...)
}

// run is main with its world passed in.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := newApp(filepath.Base(args[0]) == "storm")
	app.Writer, app.ErrWriter = stdout, stderr
	if len(args) > 1 && args[1] == completeCommand {
		complete(ctx, app, args[2:])
		return 0
	}
	err := app.RunContext(ctx, flagsFirst(app, args))
	if err == nil {
		return 0
	}
	if ended, ok := errors.AsType[exitError](err); ok {
		if ended.why != "" {
			fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(ended.why))
		}
		return ended.code
	}
	if wrong, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(stderr, "%s: %s; %s\n", app.Name, oneLine(string(wrong)), usageLine(app, args))
		return 2
	}
	fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(explain(err)))
	return 1
}

// usageLine says how the command of a command line is used.
func usageLine(app *cli.App, args []string) string {
	name, rest := app.Name, " COMMAND [OPTION]... [ARGUMENT]..."
	below := app.Commands
	for _, a := range args[1:] {
		cmd := commandNamed(below, a)
		if cmd == nil {
			continue
		}
		name, below = name+" "+cmd.Name, cmd.Subcommands
		if rest = " [OPTION]..."; len(below) > 0 {
			rest = " COMMAND [OPTION]..."
		}
		if cmd.ArgsUsage != "" {
			rest += " " + cmd.ArgsUsage
		}
		if len(below) == 0 {
			break
		}
	}
	return fmt.Sprintf("usage: %s%s (`%s --help` tells more)", name, rest, name)
}

// oneLine joins an error of several lines, so that a shell loop sees one line a failure.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.TrimSpace(s), "\n", " ; ")), " ")
}

func newApp(storm bool) *cli.App {
	name := "gearstorm"
	if storm {
		name = "storm"
	}
	app := &cli.App{
		Name:                      name,
		HideVersion:               true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true, // a value may have commas
		CustomAppHelpTemplate:     appHelp,
		ExitErrHandler:            func(*cli.Context, error) {},
		Metadata:                  map[string]any{"storm": storm},
		Flags:                     commonFlags(),
		Commands: []*cli.Command{
			runCommand(), devCommand(), submitCommand(), planCommand(), applyCommand(), fluxCommand(), jarCommand(), localCommand(), shellCommand(), doctorCommand(),
			listCommand(), infoCommand(), topCommand(), checkpointsCommand(), savepointCommand(), stateCommand(), nimbusesCommand(), nodesCommand(),
			killCommand(), activateCommand(), deactivateCommand(), rebalanceCommand(), historyCommand(), rollbackCommand(),
			getErrorsCommand(), monitorCommand(), setLogLevelCommand(), uploadCredentialsCommand(),
			blobstoreCommand(), heartbeatsCommand(), adminCommand(), drpcClientCommand(),
			nimbusCommand(), supervisorCommand(), drpcCommand(), killWorkersCommand(), nodeHealthCheckCommand(), devZookeeperCommand(),
			localConfValueCommand(), remoteConfValueCommand(), classpathCommand(), serverClasspathCommand(),
			verifyCommand(), simulateCommand(), setupCommand(), completionCommand(), versionCommand(), helpCommand(),
		},
		CommandNotFound: func(*cli.Context, string) {},
		Action:          noCommand,
		OnUsageError:    wrongUsage,
	}
	complyAll(app.Commands)
	return app
}

// complyAll gives commands and their sub-commands our help and our words for mistakes.
func complyAll(cmds []*cli.Command) {
	for _, c := range cmds {
		c.OnUsageError, c.HideHelpCommand, c.CustomHelpTemplate = wrongUsage, true, commandHelp
		complyAll(c.Subcommands)
	}
}

// noCommand answers a command line without a command that we know.
func noCommand(c *cli.Context) error {
	if c.NArg() == 0 { // as Storm does
		c.App.Writer = c.App.ErrWriter
		cli.ShowAppHelp(c)
		return errTold
	}
	return unknownCommand(c.Args().First())
}

// notHere says why a command of Storm's is not here.
var notHere = map[string]string{
	"ui":        "there is no daemon for it; `gearstorm top`, `info` and `nodes` show what its pages show",
	"logviewer": "there is no daemon for it; logs are files below storm.log.dir of each node",
	"pacemaker": "nothing here sends heartbeats through ZooKeeper, so nothing has to take them off it",
	"repl":      "it is a shell of Clojure, which nothing here is written in",
	"sql":       "Storm 2.8 has none either; write the topology in YAML, Go, Python or Java",
}

func unknownCommand(name string) error {
	if why, known := notHere[name]; known {
		return usagef("Storm's command %q is not here: %s", name, why)
	}
	return usagef("no command %q", name)
}

// wrongUsage turns what the library says about options into a sentence of ours.
func wrongUsage(_ *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return usagef("no option %s", dashed(name))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return usagef("option %s needs a value", dashed(name))
	}
	var value, name string
	if n, _ := fmt.Sscanf(text, "invalid value %q for flag -%s", &value, &name); n == 2 {
		return usagef("option %s cannot be %q", dashed(strings.TrimSuffix(name, ":")), value)
	}
	return usageError(text)
}

// dashed writes an option's name as people do.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// asStorm reports whether the output is to be Storm's.
func asStorm(c *cli.Context) bool { return c.App.Metadata["storm"] == true }
