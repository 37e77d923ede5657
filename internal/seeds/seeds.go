// Package seeds knows where Nimbus is: what a command was told, else the gearstorm dev of this folder, else what the
// configuration says. It also owns the file in which gearstorm dev says where it listens.
package seeds

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// Env is the variable that names a Nimbus, HOST:PORT.
const Env = "GEARSTORM_NIMBUS"

// DevDir is where gearstorm dev keeps its state unless it is told otherwise.
const DevDir = ".gearstorm"

// ErrAddress marks an address that is no HOST:PORT.
var ErrAddress = errors.New("not HOST:PORT")

// Find returns where to look for Nimbus, in this order: at, $GEARSTORM_NIMBUS, the gearstorm dev that runs with its state
// in DevDir, nimbus.seeds with nimbus.thrift.port of c. With chosen the configuration names a cluster on purpose and goes
// before the dev. An error wraps ErrAddress if at or the variable is wrong.
func Find(at string, c conf.Conf, chosen bool) ([]string, error) {
	from := "nimbus"
	if at == "" {
		at, from = os.Getenv(Env), Env
	}
	if at != "" {
		if !isAddress(at) {
			return nil, fmt.Errorf("%s %q is %w, such as localhost:6627", from, at, ErrAddress)
		}
		return []string{at}, nil
	}
	if p, ok := ReadPorts(DevDir); ok && !chosen {
		return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Nimbus))}, nil
	}
	hosts, err := c.StringList("nimbus.seeds")
	if err != nil {
		return nil, fmt.Errorf("look for a nimbus: %w", err)
	}
	port, err := c.Int("nimbus.thrift.port")
	if err != nil {
		return nil, fmt.Errorf("look for a nimbus: %w", err)
	}
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = net.JoinHostPort(h, strconv.FormatInt(port, 10))
	}
	return out, nil
}

func isAddress(at string) bool {
	host, port, err := net.SplitHostPort(at)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 1<<16
}
