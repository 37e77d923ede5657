package gearstorm

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Submit uploads this program to a cluster and starts the topology p there. It returns the topology's id when Nimbus has
// taken it; workers start after that. What can be refused without asking Nimbus, and the name, is checked before the upload. Errors of Nimbus can
// be told apart with client.KindOf.
func Submit(ctx context.Context, p Program, o Options) (id string, err error) {
	name, t, err := p.build(o)
	if err != nil {
		return "", err
	}
	if err := compat.CheckPositions(t.Thrift, t.Conf, t.Components.Source); err != nil {
		return "", fmt.Errorf("submit %s: %w", name, err)
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return submit(ctx, name, t, exe, p.Resources, o)
}

// SubmitTopology submits a topology without Go components, such as one from YAML, as Submit does a Program. t.Components
// is not used. Of the options Nimbus, Progress, Inactive and Jar count.
func SubmitTopology(ctx context.Context, name string, t *storm.Topology, resources fs.FS, o Options) (id string, err error) {
	return submit(ctx, name, t, "", resources, o)
}

func submit(ctx context.Context, name string, t *storm.Topology, exe string, resources fs.FS, o Options) (id string, err error) {
	jsonConf, err := t.Conf.JSON()
	if err != nil {
		return "", fmt.Errorf("submit %s: %w", name, err)
	}
	c, err := connect(o.Nimbus)
	if err != nil {
		return "", fmt.Errorf("submit %s: %w", name, err)
	}
	defer c.Close()
	if ok, err := c.Nimbus().IsTopologyNameAllowed(ctx, name); err != nil {
		return "", fmt.Errorf("submit %s: %w", name, err)
	} else if !ok {
		return "", fmt.Errorf("submit %s: %w", name, refusedName(ctx, c, name))
	}
	location, err := upload(ctx, c, exe, resources, o)
	if err != nil {
		return "", fmt.Errorf("submit %s: %w", name, err)
	}
	status := &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}
	if o.Inactive {
		status.InitialStatus = stormrpc.TopologyInitialStatus_INACTIVE
	}
	if err := c.Nimbus().SubmitTopologyWithOpts(ctx, name, location, string(jsonConf), t.Thrift, status); err != nil {
		return "", fmt.Errorf("submit %s: %w", name, err)
	}
	summary, err := c.Nimbus().GetTopologySummaryByName(ctx, name)
	if err != nil {
		return "", fmt.Errorf("submit %s: it was taken, but not found again: %w", name, err)
	}
	return summary.ID, nil
}

// refusedName says why Nimbus does not allow name. Its answer does not: the name is taken or no good.
func refusedName(ctx context.Context, c *client.Client, name string) error {
	if !nameRule.MatchString(name) {
		return badName(name)
	}
	if _, err := c.Nimbus().GetTopologySummaryByName(ctx, name); client.KindOf(err) == client.NotAlive {
		return fmt.Errorf("topology name %q: Nimbus takes letters, digits, blanks, _ and -, at most 200 bytes", name)
	}
	return &stormrpc.AlreadyAliveException{Msg: name + " is already alive"}
}

// upload sends the zip file, with the program at exe unless that is empty. It is made in memory first, for its size and
// so that a broken resource is found before anything is sent; a program is some ten megabytes.
func upload(ctx context.Context, c *client.Client, exe string, resources fs.FS, o Options) (location string, err error) {
	var zip bytes.Buffer
	if err := pack(&zip, exe, o.Jar, resources); err != nil {
		return "", err
	}
	return send(ctx, c, &zip, o)
}

// send uploads what was packed.
func send(ctx context.Context, c *client.Client, zip *bytes.Buffer, o Options) (location string, err error) {
	var tell client.Progress
	if total := int64(zip.Len()); o.Progress != nil {
		tell = func(sent int64) { o.Progress(sent, total) }
	}
	return c.Upload(ctx, zip, tell)
}
