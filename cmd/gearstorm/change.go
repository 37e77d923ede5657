package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// changeArgs is what plan and apply take.
const changeArgs = "TOPOLOGY.yaml | PROGRAM [ARGUMENT]..."

func changeFlags() []cli.Flag {
	return append(yamlFlags(), outputFlag(),
		&cli.BoolFlag{Name: "drop-state", Usage: "let components go that keep state or a position in checkpoints, or all checkpoints"},
		&cli.StringSliceFlag{Name: "replace", Usage: "a `COMPONENT` that is replaced though nothing shows it; may stand several times"},
		&cli.Int64Flag{Name: "base", Usage: "refuse it unless version `N` runs"})
}

func planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Category: catRun, Usage: "what a new version of a topology that runs would change, before it is applied", ArgsUsage: changeArgs,
		Description: "Compares Flux YAML, or what a program written in Go would submit, with the version of it that runs, and says what would change,\n" +
			"a line each: + is added, - is removed, ~ is changed; and how: in place, while all else goes on, or with a restart of all workers.\n" +
			"If one change restarts workers all are made that way. Below stand the reasons for that, and those for which Nimbus would refuse the change.\n" +
			"Nothing is uploaded or changed. Give again what was given with -c at submit, or write it into the file.\n" +
			"It exits with 0 if the change can be made, also if nothing would change, and with 2 if it is refused.\n" +
			"With -o json (or yaml) an object with name, base and version (the one that runs and the new one), rows, each with kind (add, remove,\n" +
			"replace, rescale, edge, conf, code), component, text and, if it restarts workers, restarts, which is why; restarts, whether anything does;\n" +
			"and refused, a list of reasons.",
		Flags: changeFlags(),
		Action: func(c *cli.Context) error {
			_, got, data, err := planned(c)
			if err != nil {
				return err
			}
			if data {
				err = printData(c, got)
			} else {
				fmt.Fprint(c.App.Writer, got)
			}
			switch {
			case err != nil:
				return err
			case len(got.Refused) > 0:
				return errRefused
			case !data && len(got.Rows) > 0:
				fmt.Fprintf(c.App.Writer, "apply it: %s\n", applyLine(c, got.Base))
			}
			return nil
		},
	}
}

// planned is the change of a command line and what it would do; data says whether that is wanted as JSON or YAML.
func planned(c *cli.Context) (ch *change, got *gearstorm.Change, data bool, err error) {
	if data, err = dataWanted(c); err != nil {
		return nil, nil, data, err
	}
	if ch, err = newChange(c); err != nil {
		return nil, nil, data, err
	}
	got, err = ch.plan(c.Context, c)
	switch {
	case ch.yaml != nil && client.KindOf(err) == client.NotAlive:
		return nil, nil, data, fmt.Errorf("topology %s does not run, so there is nothing to change; `submit` starts it, `list` shows those that run", ch.yaml.name)
	case err != nil:
		return nil, nil, data, nobody(ch.at, err)
	}
	return ch, got, data, nil
}

// awaitFlags say how a command waits for a version that it has stored.
func awaitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "w", Aliases: []string{"wait"}, DefaultText: "5m, longer if gearstorm.change.patience.secs is", Usage: "how `LONG` to wait until the new version runs"},
		&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until the new version runs"},
	}
}

// awaited returns how long a command waits, 0 if nothing is said.
func awaited(c *cli.Context) (time.Duration, error) {
	wait := c.Duration("w")
	if c.IsSet("w") && wait <= 0 {
		return 0, usagef("-w %v: want a time, 90s say; --no-wait does not wait", wait)
	}
	return wait, nil
}

func applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Category: catRun, Usage: "put a new version of a topology in the place of the one that runs", ArgsUsage: changeArgs,
		Description: "Says what changes, as plan does, uploads the new version and waits until it is in force and all of its tasks are at work. A change\n" +
			"in place touches nothing else; for others workers start anew, all of them at once, and tuples that were under way are sent again where\n" +
			"they are tracked. For gearstorm.change.patience.secs (30) it is on trial, also when the command has ended: a version of which nothing\n" +
			"starts, which a worker does not take over, of which a task cannot be opened, or whose workers or their children die again and again, is\n" +
			"given up, the version before runs again, and `history` says why. Give again what was given with -c at submit, or write it into the file.\n" +
			"It exits with 0 if the new version runs or nothing is to be done, with 1 if it was given up or is\n" +
			"neither in force nor given up within -w, and with 2 if it is refused.\n" +
			"With -o json (or yaml) the object that plan prints.",
		Flags: append(changeFlags(), awaitFlags()...),
		Action: func(c *cli.Context) error {
			wait, err := awaited(c)
			if err != nil {
				return err
			}
			ch, got, data, err := planned(c)
			if err != nil {
				return err
			}
			if !data {
				fmt.Fprint(c.App.Writer, got)
			}
			if len(got.Refused) == 0 && len(got.Rows) > 0 {
				if got, err = ch.apply(c.Context, c, got.Base); err != nil {
					return nobody(ch.at, err)
				}
				if !data && len(got.Refused) > 0 {
					fmt.Fprint(c.App.Writer, got)
				}
			}
			return finishChange(c, gearstorm.Options{Nimbus: ch.at, Wait: wait}, got, data)
		},
	}
}

// finishChange waits for a version that was stored, and ends the command.
func finishChange(c *cli.Context, o gearstorm.Options, got *gearstorm.Change, data bool) error {
	if data {
		if err := printData(c, got); err != nil {
			return err
		}
	}
	switch {
	case len(got.Refused) > 0:
		return errRefused
	case len(got.Rows) == 0:
		return nil
	case c.Bool("no-wait"):
		if !data {
			fmt.Fprintf(c.App.Writer, "version %d is stored and starts; `history %s` shows how it does\n", got.Version, got.Name)
		}
		return nil
	}
	began := time.Now()
	err := gearstorm.AwaitVersion(c.Context, got.Name, got.Version, o)
	if err == nil && !data {
		fmt.Fprintf(c.App.Writer, "version %d runs after %.1f s\n", got.Version, time.Since(began).Seconds())
	}
	return err
}

// errRefused ends a command whose change was refused, which has been told.
var errRefused = exitError{code: 2}

// change is a new version of a topology as the command line names it: YAML or a program.
type change struct {
	at   []string // where Nimbus is
	yaml *fluxTopology
	file string // of the program
}

func newChange(c *cli.Context) (*change, error) {
	p, err := programOf(c)
	if err != nil {
		return nil, err
	}
	if err := checkBase(c); err != nil {
		return nil, err
	}
	ch := &change{file: p.file}
	if p.kind == javaJar {
		return nil, usagef("%s does not take a jar: what is in its topology only its own main class knows, and that submits it; write the topology in YAML, which may name "+
			"the jar's classes (--jar), or kill the topology and submit the jar again", c.Command.Name)
	}
	if p.kind == yamlFile {
		if ch.yaml, err = loadYAML(c); err != nil {
			return nil, err
		}
	}
	ch.at, err = findNimbus(c)
	return ch, err
}

// checkBase refuses a --base that is no version: the change would be held to nothing.
func checkBase(c *cli.Context) error {
	if base := c.Int64("base"); c.IsSet("base") && base < 1 {
		return usagef("--base %d: versions begin with 1", base)
	}
	return nil
}

// options are those of the change.
func (ch *change) options(c *cli.Context) gearstorm.Options {
	o := gearstorm.Options{Nimbus: ch.at, Base: c.Int64("base"), DropState: c.Bool("drop-state"), Replace: map[string]string{}}
	if ch.yaml != nil {
		o.Jar = ch.yaml.jar
	}
	for _, name := range c.StringSlice("replace") {
		o.Replace[name] = "asked for"
	}
	return o
}

func (ch *change) plan(ctx context.Context, c *cli.Context) (*gearstorm.Change, error) {
	if ch.yaml != nil {
		ch.yaml.note(ch.at)
		return gearstorm.PlanTopology(ctx, ch.yaml.name, ch.yaml.topology, ch.yaml.resources, ch.options(c))
	}
	return ch.ask(ctx, nil, append([]string{"plan", "-json"}, ch.programArgs(c, c.Int64("base"))...))
}

// apply does what was planned against a version.
func (ch *change) apply(ctx context.Context, c *cli.Context, base int64) (*gearstorm.Change, error) {
	if ch.yaml == nil {
		return ch.ask(ctx, c.App.ErrWriter, append([]string{"apply", "-json", "-no-wait"}, ch.programArgs(c, base)...))
	}
	bar := newUploadBar(c.App.ErrWriter, "upload "+ch.yaml.name, 0)
	defer bar.end()
	o := ch.options(c)
	o.Base, o.Progress = base, bar.of
	return gearstorm.ApplyTopology(ctx, ch.yaml.name, ch.yaml.topology, ch.yaml.resources, o)
}

// ask has the program do it. What it says on standard error goes to stderr, or into the error.
func (ch *change) ask(ctx context.Context, stderr io.Writer, args []string) (*gearstorm.Change, error) {
	f, err := os.Open(ch.file)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	defer f.Close()
	got := &gearstorm.Change{}
	return got, askProgram(ctx, ch.file, f, got, stderr, args)
}

// programArgs are the options of a program's commands that change what runs, and the program's own arguments.
func (ch *change) programArgs(c *cli.Context, base int64) []string {
	args := confOptions(c)
	if len(ch.at) == 1 { // else it looks for them as we do
		args = append(args, "-nimbus", ch.at[0])
	}
	if n := c.String("name"); n != "" {
		args = append(args, "-name", n)
	}
	if base != 0 {
		args = append(args, "-base", fmt.Sprint(base))
	}
	if c.Bool("drop-state") {
		args = append(args, "-drop-state")
	}
	for _, name := range c.StringSlice("replace") {
		args = append(args, "-replace", name)
	}
	return append(args, forProgram(c.Args().Tail())...)
}

// applyLine is the command that applies what was planned against a version.
func applyLine(c *cli.Context, base int64) string {
	line := []string{c.App.Name, "apply", "--base", fmt.Sprint(base)}
	for _, name := range []string{"nimbus", "config", "name", "filter", "resources", "jar"} {
		if v := c.String(name); v != "" {
			line = append(line, "--"+name, quoted(v))
		}
	}
	for _, name := range []string{"env-filter", "resource", "drop-state"} {
		if c.Bool(name) {
			line = append(line, "--"+name)
		}
	}
	for _, name := range []string{"c", "replace"} {
		for _, v := range c.StringSlice(name) {
			line = append(line, dashed(name), quoted(v))
		}
	}
	if slices.ContainsFunc(c.Args().Tail(), func(a string) bool { return strings.HasPrefix(a, "-") }) {
		line = append(line, "--") // they are the program's
	}
	for _, a := range c.Args().Slice() {
		line = append(line, quoted(a))
	}
	return strings.Join(line, " ")
}

// quoted writes a word as a shell takes it.
func quoted(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
