package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// commandOf names the commands that may also be asked for as options, alone on the command line.
var commandOf = map[string]string{"--help": "help", "-help": "help", "-h": "help", "--version": "version", "-version": "version", "-v": "version"}

// flagsFirst reorders the command line so that options may stand anywhere, as in Storm's own commands (`storm kill
// NAME -w 0`): the library stops reading options at the first argument that is none. Common options that stand behind
// the command are moved before it. Everything behind "--" stays as it is.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 2 && commandOf[args[1]] != "" {
		return []string{args[0], commandOf[args[1]]}
	}
	global := flagKinds(app.Flags)
	var front, own, rest []string
	var cmd *cli.Command
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			if cmd == nil {
				if cmd = app.Command(a); cmd != nil {
					continue
				}
			}
			rest = append(rest, a)
			continue
		}
		if opt, value, ok := glued(a, cmd); ok {
			own = append(own, opt, value)
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(a, "-"), "=")
		dst, kind, known := &front, kinds{}, false
		if cmd != nil {
			dst = &own
			if kind, known = flagKinds(cmd.Flags)[name]; !known {
				if kind, known = global[name]; known {
					dst = &front
				}
			}
		} else {
			kind, known = global[name]
		}
		if known { // one spelling: the library refuses two of the same option
			if a = dashed(kind.name); hasValue {
				a += "=" + value
			}
		}
		*dst = append(*dst, a)
		if kind.takes && !hasValue && i+1 < len(args) {
			i++
			*dst = append(*dst, args[i])
		}
	}
	out := append([]string{args[0]}, front...)
	if cmd == nil {
		return append(append(out, own...), rest...)
	}
	out = append(append(out, cmd.Name), own...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out
}

// glued splits a short option of cmd from the value that follows without a space ("-w5"), as Storm's commands take it.
func glued(arg string, cmd *cli.Command) (option, value string, ok bool) {
	if cmd == nil || len(arg) < 3 || arg[1] == '-' {
		return "", "", false
	}
	options := flagKinds(cmd.Flags)
	name, _, _ := strings.Cut(arg[1:], "=")
	if _, known := options[name]; known || !options[arg[1:2]].takes || arg[2] == '=' {
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
