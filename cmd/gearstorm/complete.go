package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// completeCommand is what the scripts of shells call: it gets the words of the command line so far, the last one perhaps
	// empty, and prints what the last one may become, a line each.
	completeCommand = "__complete"
	// completePatience bounds what a Nimbus may keep a shell waiting.
	completePatience = 500 * time.Millisecond
)

// scriptsOf shells; %[1]s is the command.
var scriptsOf = map[string]string{
	"bash": `_%[1]s() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _%[1]s %[1]s
`,
	"zsh": `#compdef %[1]s
_%[1]s() {
  local -a found
  found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ -n "${found[*]}" ]] && compadd -a found || _files
}
compdef _%[1]s %[1]s
`,
	"fish": `function __%[1]s_complete
  set -l words (commandline -opc)
  $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c %[1]s -a '(__%[1]s_complete)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Category: catDaemons, Usage: "a script that has a shell complete our command lines", ArgsUsage: "bash|zsh|fish",
		Description: "It completes commands, options, names of topologies and keys of blobs.\n\n" +
			"  source <(gearstorm completion bash)                                        # in ~/.bashrc\n" +
			"  source <(gearstorm completion zsh)                                         # in ~/.zshrc, after compinit\n" +
			"  gearstorm completion fish > ~/.config/fish/completions/gearstorm.fish",
		Action: func(c *cli.Context) error {
			script, ok := scriptsOf[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usagef("completion takes a shell: bash, zsh or fish")
			}
			fmt.Fprintf(c.App.Writer, script, c.App.Name)
			return nil
		},
	}
}

// complete prints what the last word may become. What it does not know it leaves to the shell: names of files.
func complete(ctx context.Context, app *cli.App, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	var cmd *cli.Command
	path, below := "", app.Commands
	for _, w := range words[:len(words)-1] {
		if next := commandNamed(below, w); next != nil {
			cmd, below, path = next, next.Subcommands, strings.TrimSpace(path+" "+next.Name)
		}
	}
	var found []string
	switch {
	case strings.HasPrefix(last, "-"):
		flags := app.Flags
		if cmd != nil {
			flags = append(slices.Clone(cmd.Flags), app.Flags...)
		}
		for _, f := range flags {
			for _, n := range f.Names() {
				found = append(found, dashed(n))
			}
		}
		found = append(found, "--help")
	case len(below) > 0:
		for _, c := range below {
			if !c.Hidden {
				found = append(found, c.Name)
			}
		}
	case cmd != nil:
		found = namesFor(ctx, path)
	}
	slices.Sort(found)
	for _, f := range slices.Compact(found) {
		if strings.HasPrefix(f, last) {
			fmt.Fprintln(app.Writer, f)
		}
	}
}

// namesFor asks Nimbus for what the arguments of a command name.
func namesFor(ctx context.Context, command string) []string {
	ctx, cancel := context.WithTimeout(ctx, completePatience)
	defer cancel()
	switch command {
	case "info", "top", "checkpoints", "savepoint", "state get", "state list", "kill", "activate", "deactivate", "rebalance", "history", "rollback", "get-errors", "monitor", "set_log_level", "upload-credentials":
		return askQuietly(func(n *stormrpc.NimbusClient) (names []string) {
			ts, err := n.GetTopologySummaries(ctx)
			if err != nil {
				return nil
			}
			for _, t := range ts {
				names = append(names, t.Name)
			}
			return names
		})
	case "blobstore cat", "blobstore update", "blobstore delete", "blobstore set-acl", "blobstore replication", "blobstore list":
		return askQuietly(func(n *stormrpc.NimbusClient) []string {
			keys, _ := blobKeys(ctx, n) // as many as came in time
			return keys
		})
	case "completion":
		return []string{"bash", "fish", "zsh"}
	case "localconfvalue", "remoteconfvalue":
		var keys []string
		for _, k := range conf.Keys() {
			keys = append(keys, k.Name)
		}
		return keys
	}
	return nil
}

// askQuietly asks the Nimbus that a command without options would ask.
func askQuietly(ask func(*stormrpc.NimbusClient) []string) []string {
	loaded, err := conf.Load(conf.Sources{})
	if err != nil {
		return nil
	}
	at, err := seeds.Find("", loaded.Conf, false)
	if err != nil {
		return nil
	}
	nc, err := client.New(client.Options{Seeds: at, Retries: -1})
	if err != nil {
		return nil
	}
	defer nc.Close()
	return ask(nc.Nimbus())
}
