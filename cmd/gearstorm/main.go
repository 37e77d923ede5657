// Command gearstorm is the whole product in one binary: a development cluster (dev), the daemons (nimbus, supervisor),
// topologies from YAML (run, submit) and Storm's commands (list, kill, activate, deactivate, rebalance, version).
//
// Called by the name storm (scripts/storm), it prints what Storm's commands print, to the letter.
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
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" { // no time for a command tree on the way to the first tuple
		os.Exit(workerMain())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage marks mistakes in the command line, which exit with 2.
var errUsage = errors.New("usage")

// run is main with its world passed in.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := newApp(filepath.Base(args[0]) == "storm")
	app.Writer, app.ErrWriter = stdout, stderr
	err := app.RunContext(ctx, flagsFirst(app, args))
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "%s: %v\n", app.Name, err)
		return 2
	default:
		fmt.Fprintf(stderr, "%s: %s\n", app.Name, oneLine(explain(err)))
		return 1
	}
}

// oneLine joins an error of several lines, so that a shell loop sees one line a failure.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\n", " ; ")), " ")
}

func newApp(storm bool) *cli.App {
	name := "gearstorm"
	if storm {
		name = "storm"
	}
	return &cli.App{
		Name:                   name,
		Usage:                  "run Storm topologies without Storm",
		UsageText:              name + " COMMAND [options] [arguments]      " + name + " COMMAND --help tells more",
		HideVersion:            true,
		UseShortOptionHandling: false,
		EnableBashCompletion:   true,
		ExitErrHandler:         func(*cli.Context, error) {},
		Metadata:               map[string]any{"storm": storm},
		Flags:                  commonFlags(),
		Commands: []*cli.Command{
			devCommand(), runCommand(), submitCommand(),
			listCommand(), infoCommand(), killCommand(), activateCommand(), deactivateCommand(), rebalanceCommand(),
			nimbusCommand(), supervisorCommand(), versionCommand(),
		},
		CommandNotFound: func(c *cli.Context, name string) {},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("%w: no command %q; `%s help` lists them", errUsage, c.Args().First(), c.App.Name)
			}
			cli.ShowAppHelp(c)
			if storm {
				return fmt.Errorf("%w: name a command", errUsage)
			}
			return nil
		},
		OnUsageError: func(c *cli.Context, err error, _ bool) error { return fmt.Errorf("%w: %v", errUsage, err) },
	}
}

// asStorm reports whether the output is to be Storm's.
func asStorm(c *cli.Context) bool { return c.App.Metadata["storm"] == true }
