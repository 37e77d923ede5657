package gearstorm

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// devPorts is the file in which gearstorm dev says where it listens.
var devPorts = filepath.Join(".gearstorm", "ports.json")

const envNimbus = "GEARSTORM_NIMBUS"

// connect returns a client of the first of seeds that answers; without any it looks for some.
func connect(seeds []string) (*client.Client, error) {
	if len(seeds) == 0 {
		found, err := findSeeds()
		if err != nil {
			return nil, err
		}
		seeds = found
	}
	return client.New(client.Options{Seeds: seeds, Retries: 2, RetryInterval: 200 * time.Millisecond})
}

func findSeeds() ([]string, error) {
	if at := os.Getenv(envNimbus); at != "" {
		return []string{at}, nil
	}
	if port, ok := devNimbus(devPorts); ok {
		return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}, nil
	}
	loaded, err := conf.Load(conf.Sources{})
	if err != nil {
		return nil, fmt.Errorf("look for a nimbus: %w", err)
	}
	hosts, err := loaded.StringList("nimbus.seeds")
	if err != nil {
		return nil, fmt.Errorf("look for a nimbus: %w", err)
	}
	port, err := loaded.Int("nimbus.thrift.port")
	if err != nil {
		return nil, fmt.Errorf("look for a nimbus: %w", err)
	}
	for i, h := range hosts {
		hosts[i] = net.JoinHostPort(h, strconv.FormatInt(port, 10))
	}
	return hosts, nil
}

// devNimbus reads the port from file; ok is false if there is none or if the process that wrote it is gone.
func devNimbus(file string) (port int, ok bool) {
	var p struct{ Nimbus, PID int }
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &p) != nil || p.Nimbus == 0 || p.PID <= 0 {
		return 0, false
	}
	err = syscall.Kill(p.PID, 0)
	return p.Nimbus, err == nil || err == syscall.EPERM
}

// explain turns an error into one line that says what to do next, where that is known.
func explain(err error) string {
	msg := client.Message(err)
	switch client.KindOf(err) {
	case client.AlreadyAlive:
		return msg + `; kill it first ("gearstorm kill NAME") or take another name (-name)`
	case client.NoLeader, client.Disconnected:
		return msg + `; is it running? "gearstorm dev" starts a cluster here, -nimbus host:port names another`
	case client.Internal:
		return msg + "; the log of Nimbus says why"
	}
	return msg
}
