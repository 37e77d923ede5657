package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const appHelp = `usage: {{.Name}} COMMAND [OPTION]... [ARGUMENT]...    ("{{.Name}} COMMAND --help" tells more)
{{range .VisibleCategories}}
{{.Name}}
{{range .VisibleCommands}}  {{join .Names ", "}}{{"\t"}}{{.Usage}}
{{end}}{{end}}
Options of every command
{{range .VisibleFlags}}{{.}}
{{end}}
It exits with 0 when it is done, 1 when something went wrong, 2 when the command line is wrong.
`

const commandHelp = `{{.HelpName}}: {{.Usage}}

usage: {{.HelpName}}{{if .VisibleCommands}} COMMAND{{end}}{{if .VisibleFlags}} [OPTION]...{{end}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .Description}}
{{.Description}}
{{end}}{{if .VisibleCommands}}
{{range .VisibleCommands}}  {{.Name}}{{"\t"}}{{.Usage}}
{{end}}{{end}}{{if .VisibleFlags}}
{{range .VisibleFlags}}{{.}}
{{end}}{{end}}`

// Headings of the commands; the library sorts them by name.
const (
	catRun     = "A topology"
	catCluster = "Cluster"
	catDaemons = "Daemons, and more"
)

func init() {
	cli.FlagStringer = optionLine
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show this", DisableDefaultText: true}
}

// optionLine is an option in a help text: spellings, the shortest first, a tab, what it does.
func optionLine(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	value, usage := "", d.GetUsage()
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		if name, after, ok := strings.Cut(rest, "`"); ok {
			value, usage = " "+name, before+name+after
		}
	}
	var short, long []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			short = append(short, dashed(n))
		} else {
			long = append(long, dashed(n))
		}
	}
	line := "  " + strings.Join(append(short, long...), ", ") + value + "\t" + usage
	if def := d.GetDefaultText(); d.TakesValue() && def != "" && def != "0" && def != `""` {
		line += " (default " + strings.Trim(def, `"`) + ")"
	}
	return line
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Category: catDaemons, Usage: "what the commands are, or what one of them does", ArgsUsage: "[COMMAND]",
		Action: func(c *cli.Context) error { return showHelp(c, c.Args().Slice()) },
	}
}

// showHelp prints the help of the command that the words name, or of all.
func showHelp(c *cli.Context, words []string) error {
	if len(words) == 0 {
		return cli.ShowAppHelp(c)
	}
	var cmd *cli.Command
	below, name := c.App.Commands, c.App.Name
	for _, w := range words {
		next := commandNamed(below, w)
		if next == nil {
			return unknownCommand(w)
		}
		cmd, below, name = next, next.Subcommands, name+" "+next.Name
	}
	shown := *cmd
	shown.HelpName = name
	shown.Flags = append(slices.Clip(shown.Flags), cli.HelpFlag)
	cli.HelpPrinter(c.App.Writer, commandHelp, &shown)
	return nil
}
