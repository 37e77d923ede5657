package main

import (
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

usage: {{.HelpName}}{{if .VisibleFlags}} [OPTION]...{{end}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .Description}}
{{.Description}}
{{end}}{{if .VisibleFlags}}
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
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" {
				return cli.ShowAppHelp(c)
			}
			if c.App.Command(name) == nil {
				return unknownCommand(name)
			}
			return cli.ShowCommandHelp(c, name)
		},
	}
}
