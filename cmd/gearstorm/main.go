// Command gearstorm is the whole product in one binary: a development cluster (dev), the daemons (nimbus, supervisor),
// topologies from YAML (run, submit), a simulator of scheduling (simulate) and Storm's commands (list, kill, activate, deactivate, rebalance, get-errors,
// version).
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

// errTold ends a command with 1 that has said why.
var errTold = errors.New("told already")

// run is main with its world passed in.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := newApp(filepath.Base(args[0]) == "storm")
	app.Writer, app.ErrWriter = stdout, stderr
	err := app.RunContext(ctx, flagsFirst(app, args))
	if err == nil {
		return 0
	}
	if errors.Is(err, errTold) {
		return 1
	}
	if wrong, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(stderr, "%s: %s; `%s --help` tells more\n", app.Name, oneLine(string(wrong)), helpFor(app, args))
		return 2
	}
	fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(explain(err)))
	return 1
}

// helpFor names the command whose help fits the command line.
func helpFor(app *cli.App, args []string) string {
	for _, a := range args[1:] {
		if cmd := app.Command(a); cmd != nil {
			return app.Name + " " + cmd.Name
		}
	}
	return app.Name
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
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true, // a value may have commas
		CustomAppHelpTemplate:     appHelp,
		ExitErrHandler:            func(*cli.Context, error) {},
		Metadata:                  map[string]any{"storm": storm},
		Flags:                     commonFlags(),
		Commands: []*cli.Command{
			runCommand(), devCommand(), submitCommand(),
			listCommand(), infoCommand(), nimbusesCommand(), nodesCommand(), killCommand(), activateCommand(), deactivateCommand(), rebalanceCommand(), getErrorsCommand(),
			verifyCommand(), nimbusCommand(), supervisorCommand(), simulateCommand(), setupCommand(), versionCommand(), helpCommand(),
		},
		CommandNotFound: func(*cli.Context, string) {},
		Action:          noCommand,
		OnUsageError:    wrongUsage,
	}
	for _, c := range app.Commands {
		c.OnUsageError, c.HideHelpCommand, c.CustomHelpTemplate = wrongUsage, true, commandHelp
	}
	return app
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

func unknownCommand(name string) error {
	switch name {
	case "jar", "local":
		return usagef("%q needs Java: submit jars with Storm's own client, with nimbus.seeds and nimbus.thrift.port of its storm.yaml pointing at this Nimbus", name)
	case "ui", "logviewer", "drpc", "pacemaker", "dev-zookeeper", "shell", "monitor", "set_log_level", "upload-credentials", "blobstore",
		"heartbeats", "kill_workers", "node-health-check", "admin", "drpc-client", "localconfvalue", "remoteconfvalue", "classpath",
		"server_classpath", "repl":
		return usagef("Storm's command %q is not here", name)
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
