package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/worker"
)

func setupCommand() *cli.Command {
	return &cli.Command{
		Name: "setup", Category: catDaemons, Usage: "prepare this machine for components in another language", ArgsUsage: "java",
		Description: "`setup java` is run once on every node whose workers are to run components written in Java. It takes Storm's jars from\n" +
			"$STORM_HOME/lib-worker or " + compat.JavaLibKey + ", or fetches them with Maven, and compiles the Java side of workers with the JDK\n" +
			"(17 or later) into " + compat.JavaDirKey + " (default: gearstorm/java in the user's cache). It may be run again.",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || c.Args().First() != "java" {
				return usagef("setup takes one argument: java")
			}
			cf, err := loadConf(c)
			if err != nil {
				return err
			}
			i, err := worker.JavaInstall(cf)
			if err != nil {
				return err
			}
			ready, err := i.Setup(c.Context, func(text string) { fmt.Fprintln(c.App.ErrWriter, text) })
			if err != nil {
				return fmt.Errorf("set up Java: %w", err)
			}
			fmt.Fprintf(c.App.Writer, "Java components can run here: %s, %d jars of Storm, compiled in %s\n", ready.Java, len(ready.Jars), ready.Classes)
			return nil
		},
	}
}
