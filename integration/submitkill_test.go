package integration

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// dial returns a client of the cluster's Nimbus, as Storm's Java client and the CLI have one.
func (c *cluster) dial(t *testing.T) *client.Client {
	t.Helper()
	nc, err := client.New(client.Options{Seeds: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(c.nimbus))}, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// topology is the StormTopology of testdata/numbers, a fresh one each time.
func topology(t *testing.T) *stormrpc.StormTopology {
	t.Helper()
	f, err := flux.Load(filepath.Join("testdata", "numbers", "numbers.yaml"), flux.Options{Properties: map[string]string{"dir": t.TempDir(), "workers": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	return f.Topology
}

// jarOf makes a zip file of files with some text.
func jarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.Create(n)
		if err == nil {
			_, err = io.WriteString(w, "import gearstorm\n")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// attempt is one submission and whether Nimbus said yes before it was killed.
type attempt struct {
	name     string
	accepted bool
}

// submitUntilItFails submits one topology after another and returns all attempts; the last one was cut short.
func submitUntilItFails(nc *client.Client, prefix string, jar []byte, topology *stormrpc.StormTopology) []attempt {
	var all []attempt
	for i := 0; ; i++ {
		a := attempt{name: fmt.Sprintf("%s-%d", prefix, i)}
		location, err := nc.Upload(context.Background(), bytes.NewReader(jar), nil)
		if err == nil {
			err = nc.Nimbus().SubmitTopology(context.Background(), a.name, location, "{}", topology)
		}
		a.accepted = err == nil
		all = append(all, a)
		if err != nil {
			return all
		}
	}
}

// Nimbus is killed at random moments while topologies are submitted. Each is there whole or not at all afterwards, and
// always if its submit was answered.
func TestNimbusKilledDuringSubmits(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 1)
	d := &daemons{cluster: newCluster(t)}
	d.nimbus = ports[0]
	d.args = []string{"-c", fmt.Sprintf("nimbus.thrift.port=%d", ports[0]), "-c", "storm.local.dir=" + filepath.Join(d.dir, "state")}
	jar, code := jarOf(t, "resources/numbers.py"), topology(t)
	const submitters = 3
	accepted, there := 0, 0
	for round := 0; round < 10 || accepted == 0 && round < 100; round++ {
		d.startNimbus(t)
		attempts := make(chan []attempt)
		for i := range submitters {
			nc := d.dial(t)
			go func() { attempts <- submitUntilItFails(nc, fmt.Sprintf("round%d-%d", round, i), jar, code) }()
		}
		<-time.After(time.Duration(20+rand.IntN(100)) * time.Millisecond)
		d.nimbusd.kill(t)
		var tried []attempt
		for range submitters {
			tried = append(tried, <-attempts...)
		}
		d.startNimbus(t)
		nc := d.dial(t)
		listed := wholeTopologies(t, nc)
		for _, a := range tried {
			if a.accepted {
				accepted++
			}
			if a.accepted && !listed[a.name] {
				t.Errorf("%s was accepted and is not there", a.name)
			}
			if listed[a.name] {
				there++
			}
			d.submitAgain(t, nc, a.name, listed[a.name], jar, code)
			if err := nc.Nimbus().KillTopologyWithOpts(t.Context(), a.name, &stormrpc.KillOptions{WaitSecs: new(int32)}); err != nil {
				t.Errorf("kill %s: %v", a.name, err)
			}
		}
		waitFor(t, 20*time.Second, "the removal of all topologies", func() bool {
			l, err := nc.Nimbus().GetTopologySummaries(t.Context())
			return err == nil && len(l) == 0
		})
		d.nimbusd.kill(t)
	}
	if accepted == 0 {
		t.Error("no submit was answered before its Nimbus was killed")
	}
	t.Logf("%d submits answered, %d topologies found", accepted, there)
	d.startNimbus(t)
	waitFor(t, 10*time.Second, "no blobs", func() bool {
		keys, err := d.dial(t).Nimbus().ListBlobs(t.Context(), "")
		return err == nil && len(keys.Keys) == 0
	})
}

// wholeTopologies lists the topologies and checks that everything of each can be had, and that no blob is there that belongs
// to none of them.
func wholeTopologies(t *testing.T, nc *client.Client) map[string]bool {
	t.Helper()
	nimbus := nc.Nimbus()
	list, err := nimbus.GetTopologySummaries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range list {
		names[s.Name] = true
		if code, err := nimbus.GetTopology(t.Context(), s.ID); err != nil || len(code.Bolts) < 2 {
			t.Errorf("getTopology of %s: %v", s.ID, err)
		}
		if conf, err := nimbus.GetTopologyConf(t.Context(), s.ID); err != nil || !strings.Contains(conf, s.ID) {
			t.Errorf("getTopologyConf of %s: %v", s.ID, err)
		}
		for _, key := range []string{client.JarKey(s.ID), client.CodeKey(s.ID), client.ConfKey(s.ID)} {
			var b bytes.Buffer
			if _, err := nc.DownloadBlob(t.Context(), key, &b, 1<<20); err != nil || b.Len() == 0 {
				t.Errorf("blob %s: %d bytes, %v", key, b.Len(), err)
			}
		}
	}
	keys, err := nimbus.ListBlobs(t.Context(), "")
	if err != nil || len(keys.Keys) != min(100, 3*len(list)) {
		t.Errorf("%d topologies have the blobs %v (%v)", len(list), keys, err)
	}
	return names
}

// submitAgain submits a name that is there, which is refused, or one that is not, which works.
func (d *daemons) submitAgain(t *testing.T, nc *client.Client, name string, there bool, jar []byte, code *stormrpc.StormTopology) {
	t.Helper()
	location, err := nc.Upload(t.Context(), bytes.NewReader(jar), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = nc.Nimbus().SubmitTopology(t.Context(), name, location, "{}", code)
	if there && client.KindOf(err) != client.AlreadyAlive || !there && err != nil {
		t.Errorf("%s is there: %v, a second submit says %v", name, there, err)
	}
}
