package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// commandOf names the commands that may also be asked for as options, alone on the command line.
var commandOf = map[string]string{"--help": "help", "-help": "help", "-h": "help", "--version": "version", "-version": "version", "-v": "version"}

// flagsFirst reorders the command line so that options may stand anywhere, as in Storm's own commands (`storm kill
// NAME -w 0`): the library stops reading options at the first argument that is none. Common options that stand behind
// the command are moved before it. Everything behind "--" stays as it is, and so does what the programs that some
// commands start are given.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 2 && commandOf[args[1]] != "" {
		return []string{args[0], commandOf[args[1]]}
	}
	l := line{global: flagKinds(app.Flags), below: app.Commands}
	for i := 1; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			l.rest = append(l.rest, args[i+1:]...)
			return l.args(args[0])
		case !strings.HasPrefix(a, "-") || a == "-":
			l.word(a)
		case l.option(a, i+1 < len(args)):
			i++
			l.value(args[i])
		}
	}
	return l.args(args[0])
}

// line is a command line while it is reordered.
type line struct {
	global map[string]kinds
	below  []*cli.Command // what the next word may name
	path   []step
	front  []string // common options
	rest   []string // arguments
	last   *[]string
}

// step is a command or one of its sub-commands with its options.
type step struct {
	cmd     *cli.Command
	options []string
}

// command is the innermost one so far, nil before the first.
func (l *line) command() *cli.Command {
	if len(l.path) == 0 {
		return nil
	}
	return l.path[len(l.path)-1].cmd
}

// word takes an argument that is no option.
func (l *line) word(a string) {
	if cmd := commandNamed(l.below, a); cmd != nil && len(l.rest) == 0 {
		l.path, l.below = append(l.path, step{cmd: cmd}), cmd.Subcommands
		return
	}
	l.rest = append(l.rest, a)
}

func commandNamed(cmds []*cli.Command, name string) *cli.Command {
	for _, c := range cmds {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// option takes an option, and says whether the next argument is its value.
func (l *line) option(a string, more bool) (takesNext bool) {
	cmd := l.command()
	foreign := cmd != nil && startsProgram[cmd.Name] && len(l.rest) > 0
	if opt, value, ok := glued(a, cmd, l.global); ok && !foreign {
		own := &l.path[len(l.path)-1].options
		*own = append(*own, opt, value)
		return false
	}
	name, value, hasValue := strings.Cut(strings.TrimLeft(a, "-"), "=")
	l.last = &l.front
	kind, known := l.global[name]
	if cmd != nil {
		if k, own := flagKinds(cmd.Flags)[name]; own || !known {
			kind, known, l.last = k, own, &l.path[len(l.path)-1].options
		}
	}
	if !known && foreign { // the program's
		l.rest = append(l.rest, a)
		return false
	}
	if known { // one spelling: the library refuses two of the same option
		if a = dashed(kind.name); hasValue {
			a += "=" + value
		}
	}
	*l.last = append(*l.last, a)
	return kind.takes && !hasValue && more
}

// value takes the value of the last option.
func (l *line) value(a string) { *l.last = append(*l.last, a) }

// args is the reordered command line.
func (l *line) args(name string) []string {
	out := append([]string{name}, l.front...)
	for _, s := range l.path {
		out = append(append(out, s.cmd.Name), s.options...)
	}
	if len(l.path) > 0 && len(l.rest) > 0 {
		out = append(out, "--")
	}
	return append(out, l.rest...)
}

// startsProgram are commands that run a program: behind their first argument they take only options that they know, the
// others are the program's.
var startsProgram = map[string]bool{"jar": true, "local": true, "shell": true, "plan": true, "apply": true}

// glued splits a short option of cmd from the value that follows without a space ("-w5"), as Storm's commands take it. What
// is a longer option with one dash, of cmd or a common one, stays whole.
func glued(arg string, cmd *cli.Command, common map[string]kinds) (option, value string, ok bool) {
	if cmd == nil || len(arg) < 3 || arg[1] == '-' {
		return "", "", false
	}
	options := flagKinds(cmd.Flags)
	name, _, _ := strings.Cut(arg[1:], "=")
	_, own := options[name]
	if _, all := common[name]; own || all || !options[arg[1:2]].takes || arg[2] == '=' {
		return "", "", false
	}
	return arg[:2], arg[2:], true
}

// kinds is what flagsFirst has to know of an option: its first spelling, and whether it takes a value.
type kinds struct {
	name  string
	takes bool
}

// flagKinds describes every spelling of flags.
func flagKinds(flags []cli.Flag) map[string]kinds {
	out := map[string]kinds{}
	for _, f := range flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, n := range f.Names() {
			out[n] = kinds{f.Names()[0], !isBool}
		}
	}
	return out
}
