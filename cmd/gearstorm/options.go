package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/seeds"
)

func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "`FILE` to read instead of storm.yaml"},
		&cli.StringSliceFlag{Name: "c", Aliases: []string{"storm_config_opts"}, Usage: "`KEY=VALUE` of the configuration; may stand several times"},
		&cli.StringFlag{Name: "nimbus", Usage: "`HOST:PORT` of Nimbus; else $" + seeds.Env + ", the gearstorm dev of this folder, nimbus.seeds"},
	}
}

// loadConf reads the configuration of this command: defaults, storm.yaml, gearstorm.yaml, -c options. Warnings go to
// standard error once.
func loadConf(c *cli.Context) (conf.Conf, error) {
	loaded, err := loadSources(c)
	if err != nil {
		return nil, err
	}
	return loaded.Conf, nil
}

// loadSources is loadConf for who must know what was said and what is a default.
func loadSources(c *cli.Context) (*conf.Loaded, error) {
	set := c.StringSlice("c")
	if _, err := conf.ParseOptions(set); err != nil {
		return nil, usageError(err.Error())
	}
	loaded, err := conf.Load(conf.Sources{File: c.String("config"), Overrides: set})
	if err != nil {
		return nil, err
	}
	for _, w := range loaded.Warnings {
		fmt.Fprintln(c.App.ErrWriter, "warning:", w)
	}
	return loaded, nil
}

// nimbusAt returns where to look for Nimbus. A dev in this folder goes before storm.yaml, but not before a file or key
// named on the command line.
func nimbusAt(c *cli.Context, cf conf.Conf) ([]string, error) {
	set, err := conf.ParseOptions(c.StringSlice("c"))
	if err != nil {
		return nil, usageError(err.Error())
	}
	chosen := c.String("config") != "" || set.Has("nimbus.seeds") || set.Has("nimbus.thrift.port")
	at, err := seeds.Find(c.String("nimbus"), cf, chosen)
	if errors.Is(err, seeds.ErrAddress) {
		return nil, usageError(err.Error())
	}
	return at, err
}
