package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
)

func localConfValueCommand() *cli.Command {
	return confValueCommand("localconfvalue", "what the configuration of this machine says of a key", loadConf)
}

func remoteConfValueCommand() *cli.Command {
	return confValueCommand("remoteconfvalue", "what the configuration of Nimbus says of a key", func(c *cli.Context) (conf.Conf, error) {
		var cf conf.Conf
		err := withNimbus(c, func(n *session) error {
			text, err := n.rpc.GetNimbusConf(c.Context)
			if err == nil {
				cf, err = conf.ParseJSON([]byte(text))
			}
			return err
		})
		return cf, err
	})
}

func confValueCommand(name, usage string, read func(*cli.Context) (conf.Conf, error)) *cli.Command {
	return &cli.Command{
		Name: name, Category: catDaemons, Usage: usage, ArgsUsage: "KEY",
		Description: "Prints \"KEY: VALUE\"; elements of a list are parted by blanks, a key without a value has null.",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("%s takes one key, got %d", name, c.NArg())
			}
			cf, err := read(c)
			if err != nil {
				return err
			}
			key := c.Args().First()
			fmt.Fprintf(c.App.Writer, "%s: %s\n", key, confValue(cf[key]))
			return nil
		},
	}
}

// confValue writes a value as org.apache.storm.command.ConfigValue does.
func confValue(v any) string {
	list, ok := v.([]any)
	if !ok {
		return javaValue(v)
	}
	var out []string
	for _, e := range list {
		out = append(out, javaValue(e))
	}
	return strings.Join(out, " ")
}

// javaValue writes a value as Java's toString does.
func javaValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case float64:
		return javaDouble(v)
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, javaValue(e))
		}
		return "[" + strings.Join(out, ", ") + "]"
	case map[string]any:
		var out []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, k+"="+javaValue(v[k]))
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	return fmt.Sprint(v)
}
