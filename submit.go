package gearstorm

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Submit uploads this program to a cluster and starts the topology p there. It returns the topology's id when Nimbus has
// taken it; workers start after that. Everything that can be refused is checked before the upload. Errors of Nimbus can
// be told apart with client.KindOf.
func Submit(ctx context.Context, p Program, o Options) (id string, err error) {
	name, t, err := p.build(o)
	if err != nil {
		return "", err
	}
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
		return "", fmt.Errorf("submit %s: %w", name, &stormrpc.AlreadyAliveException{Msg: name + " is already alive"})
	}
	location, err := p.upload(ctx, c, o)
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

// upload sends the zip file. It is made in memory first, for its size and so that a broken resource is found before
// anything is sent; a program is some ten megabytes.
func (p Program) upload(ctx context.Context, c *client.Client, o Options) (location string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	var zip bytes.Buffer
	if err := pack(&zip, exe, p.Resources); err != nil {
		return "", err
	}
	var tell client.Progress
	if total := int64(zip.Len()); o.Progress != nil {
		tell = func(sent int64) { o.Progress(sent, total) }
	}
	return c.Upload(ctx, &zip, tell)
}
