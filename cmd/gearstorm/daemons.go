package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/supervisor"
)

// daemonDir is storm.local.dir where the configuration does not set one: the daemons' state survives them.
const daemonDir = "/var/lib/gearstorm"

func hostFlag() cli.Flag {
	return &cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "listen on `ADDRESS`; 0.0.0.0 serves the network, which needs a trusted one"}
}

func nimbusCommand() *cli.Command {
	return &cli.Command{
		Name: "nimbus", Category: catDaemons, Usage: "the master, in the foreground",
		Flags: []cli.Flag{hostFlag()},
		Action: func(c *cli.Context) error {
			loaded, err := loadSources(c)
			if err != nil {
				return err
			}
			cf, err := offerZooKeeper(loaded)
			if err != nil {
				return err
			}
			port, err := cf.Int("nimbus.thrift.port")
			if err != nil {
				return err
			}
			dir := localDir(cf)
			log := slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
			store, where, err := openStore(loaded, filepath.Join(dir, "nimbus"), log)
			if err != nil {
				return explainLock(err, dir)
			}
			n, done, err := openNimbus(cf, store, filepath.Join(dir, "nimbus"), net.JoinHostPort(c.String("host"), strconv.FormatInt(port, 10)), log)
			if err != nil {
				return err
			}
			defer done()
			fmt.Fprintf(c.App.Writer, "gearstorm nimbus: serving %s, state in %s\n", n.Addr(), where)
			return together(c.Context, n.Run)
		},
	}
}

func supervisorCommand() *cli.Command {
	return &cli.Command{
		Name: "supervisor", Category: catDaemons, Usage: "the agent that runs workers on this machine, in the foreground",
		Flags: []cli.Flag{hostFlag()},
		Action: func(c *cli.Context) error {
			cf, err := loadConf(c)
			if err != nil {
				return err
			}
			at, err := nimbusAt(c, cf)
			if err != nil {
				return err
			}
			dir := localDir(cf)
			s, err := newSupervisor(cf, slog.New(slog.NewTextHandler(c.App.ErrWriter, nil)), func(sc *supervisor.Config) {
				sc.LocalDir, sc.Listen, sc.Nimbus.Seeds = filepath.Join(dir, "supervisor"), c.String("host"), at
				if sc.LogDir == "" {
					sc.LogDir = filepath.Join(dir, "logs")
				}
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.App.Writer, "gearstorm supervisor: nimbus %v, state in %s\n", at, dir)
			return together(c.Context, s.Run)
		},
	}
}

// localDir is storm.local.dir made absolute. Storm's own default is a relative folder, which a daemon must not lose with
// its working directory; then it is daemonDir.
func localDir(cf conf.Conf) string {
	dir, err := cf.StringOr("storm.local.dir", "")
	if err != nil || dir == "" || dir == "storm-local" {
		dir = daemonDir
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return dir
}

// explainLock tells who holds the store.
func explainLock(err error, dir string) error {
	if !errors.Is(err, cluster.ErrLocked) {
		return err
	}
	if p, ok := seeds.ReadPorts(dir); ok {
		return fmt.Errorf("a gearstorm dev (pid %d) already runs with its state in %s; use it, end it, or choose another folder with --dir", p.PID, dir)
	}
	return fmt.Errorf("another Nimbus has its state in %s (%w); end it or choose another folder", dir, err)
}
