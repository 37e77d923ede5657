package chaos

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TopologyName is what the topology that checks itself is called.
const TopologyName = "verify"

// Submit starts the topology under a name. The workers are the supervisors' own binary, which finds the components with
// Registry; files, by their paths below resources/, go along.
func Submit(ctx context.Context, c *client.Client, name string, t *storm.Topology, files map[string]string) error {
	return SubmitWith(ctx, c, name, t, files, nil)
}

// SubmitWith is Submit with credentials of the topology.
func SubmitWith(ctx context.Context, c *client.Client, name string, t *storm.Topology, files, credentials map[string]string) error {
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	for path, text := range files {
		w, err := z.Create("resources/" + path)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	location, err := c.Upload(ctx, &jar, nil)
	if err != nil {
		return fmt.Errorf("submit %s: %w", name, err)
	}
	conf, err := t.Conf.JSON()
	if err != nil {
		return err
	}
	o := &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}
	if credentials != nil {
		o.Creds = &stormrpc.Credentials{Creds: credentials}
	}
	err = c.Nimbus().SubmitTopologyWithOpts(ctx, name, location, string(conf), t.Thrift, o)
	if err != nil {
		return fmt.Errorf("submit %s: %w", name, err)
	}
	return nil
}

// Kill ends a topology at once.
func Kill(ctx context.Context, c *client.Client, name string) error {
	now := int32(0)
	return c.Nimbus().KillTopologyWithOpts(ctx, name, &stormrpc.KillOptions{WaitSecs: &now})
}
