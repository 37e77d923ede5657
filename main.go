package gearstorm

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// helpNames ask for help, also behind a command.
var helpNames = [...]string{"-h", "-help", "--help"}

// errUsage marks mistakes in the command line, which exit with 2.
var errUsage = errors.New("command line")

// Main runs the program as its command line says and ends the process: with 0 when it is done, with 1 and one line on
// standard error when something went wrong, with 2 when the command line is wrong or a change is refused. The first interrupt ends the
// topology in an orderly way, the second one at once.
func Main(p Program) {
	if len(os.Args) > 1 && os.Args[1] == "worker" { // no time for more on the way to the first tuple
		os.Exit(workerMain(p))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(command(ctx, p, os.Args, os.Stdout, os.Stderr))
}

// command is Main with its world passed in.
func command(ctx context.Context, p Program, args []string, stdout, stderr io.Writer) int {
	prog := filepath.Base(args[0])
	if len(args) == 1 {
		fmt.Fprint(stderr, usage(prog))
		return 2
	}
	err := dispatch(ctx, p, args, stdout, stderr)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errRefused):
		return 2
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "%s: %v; \"%s help\" tells more\n", prog, err, prog)
		return 2
	}
	fmt.Fprintf(stderr, "%s: %s\n", prog, oneLine(explain(err)))
	return 1
}

func usage(prog string) string {
	return fmt.Sprintf(`usage: %[1]s run      [-c KEY=VALUE]... [-name NAME] [ARGUMENT]...
       %[1]s submit   [-c KEY=VALUE]... [-name NAME] [-nimbus HOST:PORT] [-jar FILE] [-inactive] [ARGUMENT]...
       %[1]s plan     [-c KEY=VALUE]... [-name NAME] [-nimbus HOST:PORT] [-jar FILE] [-base N] [-drop-state] [-replace COMPONENT]... [-json] [ARGUMENT]...
       %[1]s apply    ... as plan, and [-wait LONG] [-no-wait]
       %[1]s describe [-c KEY=VALUE]... [-name NAME] [ARGUMENT]...

run       runs the topology in this process until it is interrupted
submit    uploads this program to a cluster and starts the topology there
plan      says what it would change to put the topology in the place of the one of its name that runs
apply     puts it there, and waits until the new version runs or was given up
describe  prints the topology in JSON, as "gearstorm doctor" reads it

-c KEY=VALUE       sets a key of the topology's configuration, such as topology.workers=2
-name NAME         another name for the topology
-nimbus HOST:PORT  the cluster; else $GEARSTORM_NIMBUS, the "gearstorm dev" of this folder, nimbus.seeds
-jar FILE          the classes of components in Java
-inactive          submits the topology deactivated
-base N            refuses a change of another version than this one
-drop-state        lets a change remove components that have state, or all checkpoints
-replace COMPONENT replaces a component though nothing shows that it is another
-wait LONG         waits that long for a new version to run (5m; longer if gearstorm.change.patience.secs is)
-no-wait           does not wait until a new version runs
-json              prints the change as JSON
ARGUMENT           what the topology gets; put "--" before the first one if it starts with "-"
`, prog)
}

func dispatch(ctx context.Context, p Program, args []string, stdout, stderr io.Writer) error {
	name, rest := args[1], args[2:]
	if len(rest) == 1 && slices.Contains(helpNames[:], rest[0]) {
		name = rest[0]
	}
	switch name {
	case "run", "submit", "plan", "apply", "describe":
		o, how, err := parse(name, rest)
		if err != nil {
			return err
		}
		switch name {
		case "run":
			return RunLocal(ctx, p, o)
		case "describe":
			return describe(stdout, p, o)
		case "plan":
			return planLoudly(ctx, p, o, how, stdout)
		case "apply":
			return applyLoudly(ctx, p, o, how, stdout, stderr)
		}
		return submitLoudly(ctx, p, o, stdout, stderr)
	case "help", helpNames[0], helpNames[1], helpNames[2]:
		_, err := fmt.Fprint(stdout, usage(filepath.Base(args[0])))
		return err
	}
	return fmt.Errorf("%w: no command %q", errUsage, name)
}

// parse reads the options of a command.
func parse(command string, args []string) (o Options, how telling, err error) {
	var settings []string
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Func("c", "", func(s string) error { settings = append(settings, s); return nil })
	fs.StringVar(&o.Name, "name", "", "")
	if slices.Contains([]string{"submit", "plan", "apply"}, command) {
		fs.Func("nimbus", "", func(s string) error { o.Nimbus = []string{s}; return nil })
		fs.StringVar(&o.Jar, "jar", "", "")
	}
	switch command {
	case "submit":
		fs.BoolVar(&o.Inactive, "inactive", false, "")
	case "apply":
		fs.BoolVar(&how.noWait, "no-wait", false, "")
		fs.DurationVar(&o.Wait, "wait", 0, "")
		fallthrough
	case "plan":
		fs.Func("base", "", func(s string) (err error) {
			if o.Base, err = strconv.ParseInt(s, 10, 64); err != nil || o.Base < 1 {
				return errors.New("versions begin with 1") // the change would be held to nothing
			}
			return nil
		})
		fs.BoolVar(&o.DropState, "drop-state", false, "")
		fs.BoolVar(&how.json, "json", false, "")
		o.Replace = map[string]string{}
		fs.Func("replace", "", func(s string) error { o.Replace[s] = "asked for"; return nil })
	}
	if err := fs.Parse(args); err != nil {
		return o, how, fmt.Errorf("%w: %w", errUsage, err)
	}
	if o.Wait < 0 {
		return o, how, fmt.Errorf("%w: -wait %v: want a time, 90s say", errUsage, o.Wait)
	}
	o.Args = fs.Args()
	if o.Conf, err = conf.ParseOptions(settings); err != nil {
		return o, how, fmt.Errorf("%w: %w", errUsage, err)
	}
	return o, how, nil
}

// errRefused ends a command whose change was refused, and has been told so, with 2.
var errRefused = errors.New("the change is refused")

// telling is how a command says what it does.
type telling struct{ json, noWait bool }

// planLoudly prints what a change would do.
func planLoudly(ctx context.Context, p Program, o Options, how telling, stdout io.Writer) error {
	c, err := PlanChange(ctx, p, o)
	if err != nil {
		return err
	}
	return how.tell(c, stdout)
}

// applyLoudly prints what changes, and how it went.
func applyLoudly(ctx context.Context, p Program, o Options, how telling, stdout, stderr io.Writer) error {
	showProgress(&o, stderr)
	c, err := Apply(ctx, p, o)
	if err != nil {
		return err
	}
	if err := how.tell(c, stdout); err != nil || how.noWait || len(c.Rows) == 0 {
		return err
	}
	if err := AwaitVersion(ctx, c.Name, c.Version, o); err != nil {
		return err
	}
	if !how.json {
		fmt.Fprintf(stdout, "version %d runs\n", c.Version)
	}
	return nil
}

func (how telling) tell(c *Change, stdout io.Writer) (err error) {
	if how.json {
		err = json.NewEncoder(stdout).Encode(c)
	} else {
		_, err = io.WriteString(stdout, c.String())
	}
	if err == nil && len(c.Refused) > 0 {
		return errRefused
	}
	return err
}

// submitLoudly is Submit with its progress on a terminal and the outcome in a line.
func submitLoudly(ctx context.Context, p Program, o Options, stdout, stderr io.Writer) error {
	showProgress(&o, stderr)
	id, err := Submit(ctx, p, o)
	if err != nil {
		return err
	}
	name := p.Name
	if o.Name != "" {
		name = o.Name
	}
	fmt.Fprintf(stdout, "topology %s runs as %s; \"gearstorm info %s\" shows it, \"gearstorm kill %s\" ends it\n", name, id, name, name)
	return nil
}

// showProgress shows on a terminal how far an upload is.
func showProgress(o *Options, stderr io.Writer) {
	if !isTerminal(stderr) {
		return
	}
	o.Progress = func(sent, total int64) {
		fmt.Fprintf(stderr, "\r\x1b[Kuploading %.1f of %.1f MB", float64(sent)/1e6, float64(total)/1e6)
		if sent == total {
			fmt.Fprint(stderr, "\r\x1b[K")
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// oneLine joins the lines of an error, so that one failure is one line.
func oneLine(s string) string { return strings.Join(strings.Split(strings.TrimSpace(s), "\n"), "; ") }
