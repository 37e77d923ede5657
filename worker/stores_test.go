//go:build long

package worker

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
	"github.com/gearstorm/gearstorm/internal/cephtest"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/internal/hdfstest"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A topology keeps its checkpoints in a real HDFS.
func TestHDFS(t *testing.T) {
	h := hdfstest.New(t)
	storetest.Real{Server: "hdfs"}.Run(t, "topology-counts-once", func(t *testing.T) {
		countsOnce(t, "webhdfs://"+hdfstest.User+"@"+h.NameNode.Addr()+"/user/"+hdfstest.User+"/checkpoints", func() {
			h.NameNode.Kill()
			h.DataNode.Kill()
			must(t, h.NameNode.Restart(t.Context()))
			must(t, h.DataNode.Restart(t.Context()))
		})
	})
}

// The same in a real Ceph.
func TestCeph(t *testing.T) {
	c := cephtest.New(t)
	t.Setenv("AWS_ACCESS_KEY_ID", cephtest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", cephtest.SecretKey)
	storetest.Real{Server: "ceph"}.Run(t, "topology-counts-once", func(t *testing.T) {
		countsOnce(t, "s3://"+cephtest.Bucket+"/checkpoints?endpoint="+c.URL(), func() {
			c.Kill()
			must(t, c.Restart(t.Context()))
		})
	})
}

// countsOnce has tasks move, workers replaced and the server of the store killed and started again: checkpoints go on each time, and every
// record counts once.
func countsOnce(t *testing.T, store string, kill func()) {
	const rounds, each = 3, 1000
	e := startExactOf(t, exact.Topology{Records: rounds * each, Rate: 100, Conf: map[string]any{"gearstorm.checkpoint.store": store}},
		stormrpc.TopologyStatus_ACTIVE, func(r Registry) Registry { return r })
	defer func() {
		if t.Failed() {
			t.Logf("it says %+v", e.timing())
		}
	}()
	e.further(1) // a worker that cannot open its store ends, and here nobody would start it again
	for i := range rounds {
		e.visible(i * each)
		switch i {
		case 0:
			e.move()
		case 1:
			kill()
		case 2:
			e.restart(e.ports[e.rnd.IntN(3)])
		}
		e.further(1)
	}
	e.visible(2 * rounds * each)
	checked(t, e.topo)
}
