package invocations

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
)

// returnInfo says where a request came from; it travels with the tuple as JSON.
type returnInfo struct {
	ID   string `json:"id"`
	Host string `json:"host"`
	Port int    `json:"port"`
}

func (r returnInfo) addr() string { return net.JoinHostPort(r.Host, strconv.Itoa(r.Port)) }

func (r returnInfo) text() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // two texts and a number
	}
	return string(b)
}

func parseReturnInfo(text string) (returnInfo, error) {
	var r returnInfo
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("read return-info %.100q: %w", text, err)
	}
	if r.ID == "" || r.Host == "" || r.Port < 1 || r.Port > 65535 {
		return r, fmt.Errorf("return-info %.100q does not name id, host and port", text)
	}
	return r, nil
}

// errNoServers is what Storm says, and what to do.
var errNoServers = errors.New("No DRPC servers configured for topology: set drpc.servers in storm.yaml or in the topology's configuration")

// serversOf returns the servers that a task of a DRPC spout asks: all of them where there are fewer tasks than servers,
// else one.
func serversOf(ctx *gearcore.Context) ([]returnInfo, error) {
	c := conf.Conf(ctx.Conf)
	hosts, err := c.StringList("drpc.servers")
	if err != nil {
		return nil, err
	}
	port, err := c.IntOr("drpc.invocations.port", 3773)
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, errNoServers
	}
	if len(ctx.Tasks) >= len(hosts) {
		hosts = []string{hosts[ctx.Index%len(hosts)]}
	}
	var out []returnInfo
	for _, h := range hosts {
		out = append(out, returnInfo{Host: h, Port: int(port)})
	}
	return out, nil
}
