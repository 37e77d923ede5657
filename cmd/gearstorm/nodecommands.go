package main

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/supervisor"
)

// nodeConfig is the configuration of this machine's supervisor.
func nodeConfig(c *cli.Context) (supervisor.Config, error) {
	cf, err := loadConf(c)
	if err != nil {
		return supervisor.Config{}, err
	}
	sc, err := supervisor.FromConf(cf)
	if err != nil {
		return sc, err
	}
	dir := localDir(cf)
	sc.LocalDir = filepath.Join(dir, "supervisor")
	if sc.LogDir == "" {
		sc.LogDir = filepath.Join(dir, "logs")
	}
	sc.Log = slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
	return sc, nil
}

func killWorkersCommand() *cli.Command {
	return &cli.Command{
		Name: "kill_workers", Aliases: []string{"kill-workers"}, Category: catDaemons, Usage: "end all workers of this machine",
		Description: "It reads the state of this machine's supervisor, so it takes the same configuration and user. A supervisor that runs starts them again.",
		Action: func(c *cli.Context) error {
			sc, err := nodeConfig(c)
			if err != nil {
				return err
			}
			killed, err := supervisor.KillWorkers(c.Context, sc)
			if !asStorm(c) {
				fmt.Fprintf(c.App.Writer, "killed %d workers of %s\n", killed, sc.LocalDir)
			}
			return err
		},
	}
}

func nodeHealthCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "node-health-check", Category: catDaemons, Usage: "run the health checks of this machine",
		Description: "Runs the scripts in storm.health.check.dir as the supervisor does. Exit status 1 says that one of them finds the machine unfit.",
		Action: func(c *cli.Context) error {
			sc, err := nodeConfig(c)
			if err != nil {
				return err
			}
			why, err := supervisor.CheckHealth(c.Context, sc)
			switch {
			case err != nil:
				return err
			case why != "":
				return exitError{code: 1, why: why}
			case !asStorm(c):
				fmt.Fprintln(c.App.Writer, "healthy")
			}
			return nil
		},
	}
}
