package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/doctor"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Category: catRun, Usage: "what of a topology runs, where, and what does not, before it is deployed",
		ArgsUsage: "JAR|TOPOLOGY.yaml|PROGRAM|NAME [ARGUMENT]...",
		Description: "Looks at a topology's jar, at Flux YAML, at a program written in Go (which gets the arguments), or at a topology that runs, by its\n" +
			"name. Native is what needs no JVM; jvm runs in the JVM beside a worker. A jar is only read: its rows are the classes that can be\n" +
			"components and that a main class reaches. It exits with 0 if all runs and with 1 if something does not.\n" +
			"With -o json (or yaml) an object with of, what (jar, yaml, program, topology), runs, java, mains, resources, components and unused, each with\n" +
			"name, kind, class, runs (native, jvm, no), why and notes, and findings, each with blocks and text.",
		Flags: []cli.Flag{
			outputFlag(),
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "also the classes that no main class reaches"},
			&cli.StringFlag{Name: "main", Usage: "the main `CLASS` of the jar, if only one is to be looked at"},
			&cli.StringFlag{Name: "jars", Aliases: []string{"jar"}, Usage: "jar `FILES` that go along with the jar, with commas between them"},
			&cli.IntFlag{Name: "java", Usage: "the `RELEASE` of Java that the workers have (default: that of this machine)"},
			&cli.StringFlag{Name: "storm-lib", Usage: "`DIR` with Storm's client jars (default: those of $STORM_HOME, or that gearstorm fetched)"},
			&cli.StringFlag{Name: "filter", Aliases: []string{"f"}, Usage: "replace ${key} in YAML by the values of this properties `FILE`"},
			&cli.BoolFlag{Name: "env-filter", Aliases: []string{"e"}, Usage: "replace ${ENV-NAME} in YAML by environment variables"},
		},
		Action: func(c *cli.Context) error {
			data, err := dataWanted(c)
			if err != nil {
				return err
			}
			if c.NArg() == 0 {
				return usagef("doctor takes a jar, a YAML file, a program or the name of a topology")
			}
			r, err := examine(c, c.Args().First(), c.Args().Tail())
			if err != nil {
				return err
			}
			if data {
				err = printData(c, r)
			} else {
				err = printReport(c.App.Writer, r, c.Bool("all"))
			}
			if err == nil && !r.Runs {
				return errTold
			}
			return err
		},
	}
}

// examine finds out what the argument is, by what it begins with if it is a file.
func examine(c *cli.Context, of string, args []string) (*doctor.Report, error) {
	f, err := os.Open(of)
	if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(of, `/\`) && !slices.Contains([]string{".jar", ".yaml", ".yml"}, filepath.Ext(of)) {
		if err := noMore(args); err != nil {
			return nil, err
		}
		return examineRunning(c, of)
	}
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read topology: %s is not a file", of)
	}
	magic := make([]byte, 4)
	n, err := io.ReadFull(f, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	kind := fileKind(magic[:n])
	if kind == "class" {
		return nil, fmt.Errorf("read topology: %s is one class; name the jar that it goes into", of)
	}
	if kind == "program" {
		return examineProgram(c.Context, of, f, append(confOptions(c), forProgram(args)...))
	}
	if err := noMore(args); err != nil {
		return nil, err
	}
	if kind == "jar" {
		return examineJar(c, doctor.File{Name: of, ReaderAt: f, Size: info.Size()})
	}
	return examineYAML(c, of)
}

func noMore(args []string) error {
	if len(args) > 0 {
		return usagef("only a program takes arguments, and there is %q", args[0])
	}
	return nil
}

// fileKind tells files by how they begin.
func fileKind(magic []byte) string {
	for start, kind := range map[string]string{"PK\x03\x04": "jar", "PK\x05\x06": "jar", "\x7fELF": "program", "MZ": "program",
		"\xcf\xfa\xed\xfe": "program", "\xca\xfe\xba\xbe": "class"} {
		if strings.HasPrefix(string(magic), start) {
			return kind
		}
	}
	return "yaml"
}

func examineRunning(c *cli.Context, name string) (*doctor.Report, error) {
	var r *doctor.Report
	err := withNimbus(c, func(n *session) error {
		summary, err := n.rpc.GetTopologySummaryByName(c.Context, name)
		if err != nil {
			return err
		}
		t, err := n.rpc.GetUserTopology(c.Context, summary.ID)
		if err != nil {
			return err
		}
		text, err := n.rpc.GetTopologyConf(c.Context, summary.ID)
		if err != nil {
			return err
		}
		cf, err := conf.ParseJSON([]byte(text))
		if err != nil {
			return fmt.Errorf("read the configuration of %s: %w", name, err)
		}
		r = doctor.Topology(name, t, cf)
		return nil
	})
	return r, err
}

func examineYAML(c *cli.Context, file string) (*doctor.Report, error) {
	o, err := fluxOptions(c, strings.Split(c.String("jars"), ",")...)
	if err != nil {
		return nil, err
	}
	set, err := conf.ParseOptions(c.StringSlice("c"))
	if err != nil {
		return nil, usageError(err.Error())
	}
	return doctor.YAML(file, o, set)
}
