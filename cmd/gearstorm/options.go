package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
)

func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "`FILE` to read instead of storm.yaml"},
		&cli.StringSliceFlag{Name: "c", Aliases: []string{"storm_config_opts"}, Usage: "set a configuration key, `KEY=VALUE`; may stand several times"},
		&cli.StringFlag{Name: "nimbus", Usage: "`HOST:PORT` of Nimbus (default: the gearstorm dev of this folder, else nimbus.seeds)", EnvVars: []string{"GEARSTORM_NIMBUS"}},
		&cli.StringFlag{Name: "o", Aliases: []string{"output"}, Usage: "`text` or json"},
	}
}

// loadConf reads the configuration of this command: defaults, storm.yaml, gearstorm.yaml, -c options. Warnings go to
// standard error once.
func loadConf(c *cli.Context) (conf.Conf, error) {
	loaded, err := conf.Load(conf.Sources{File: c.String("config"), Overrides: c.StringSlice("c")})
	if err != nil {
		return nil, err
	}
	for _, w := range loaded.Warnings {
		fmt.Fprintln(c.App.ErrWriter, "warning:", w)
	}
	return loaded.Conf, nil
}

// jsonWanted reports whether the output is to be JSON.
func jsonWanted(c *cli.Context) (bool, error) {
	switch o := c.String("o"); o {
	case "", "text":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, fmt.Errorf("%w: output %q: text and json are known", errUsage, o)
	}
}

func printJSON(c *cli.Context, v any) error {
	enc := json.NewEncoder(c.App.Writer)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// ports is what `gearstorm dev` writes to ports.json, so that commands in the same folder find it.
type ports struct {
	Nimbus     int `json:"nimbus"`
	Supervisor int `json:"supervisor"`
	PID        int `json:"pid"`
}

const portsFile = "ports.json"

func (p ports) write(dir string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, portsFile+".tmp")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, portsFile))
}

// readPorts returns the ports of the gearstorm dev that runs with its state in dir.
func readPorts(dir string) (ports, bool) {
	var p ports
	b, err := os.ReadFile(filepath.Join(dir, portsFile))
	if err != nil || json.Unmarshal(b, &p) != nil || p.Nimbus == 0 {
		return ports{}, false
	}
	return p, alive(p.PID)
}

// seeds returns where to look for Nimbus: --nimbus, else the dev cluster of this folder, else nimbus.seeds.
func seeds(c *cli.Context, cf conf.Conf) ([]string, error) {
	if at := c.String("nimbus"); at != "" {
		if _, _, err := net.SplitHostPort(at); err != nil {
			return nil, fmt.Errorf("%w: --nimbus %q: want HOST:PORT", errUsage, at)
		}
		return []string{at}, nil
	}
	if p, ok := readPorts(defaultDir); ok && c.String("config") == "" && len(c.StringSlice("c")) == 0 {
		return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Nimbus))}, nil
	}
	hosts, err := cf.StringList("nimbus.seeds")
	if err != nil {
		return nil, err
	}
	port, err := cf.Int("nimbus.thrift.port")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, h := range hosts {
		out = append(out, net.JoinHostPort(h, strconv.FormatInt(port, 10)))
	}
	return out, nil
}
