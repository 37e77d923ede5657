package integration

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// oracle knows what has to be: topologies that are there, ones that are gone. One whose call was cut off may be either.
type oracle struct {
	t              *testing.T
	alive          map[string]bool // name -> whether it has to be there; none if nobody knows
	submits, kills int
	history        *history // of changeSlowly
	edited         string   // a topology that runs as a later version, whose blobs have other names
}

// change submits topologies and kills some again until a call fails. It closes first after the first acknowledged submit.
func (o *oracle) change(ctx context.Context, nc *client.Client, round int, random *rand.Rand, first chan<- struct{}) {
	jar, code := largeJar(o.t, random), topology(o.t)
	var mine []string
	for i := 0; ; i++ {
		if len(mine) > 0 && random.IntN(2) == 0 {
			name := mine[0]
			mine = mine[1:]
			delete(o.alive, name)
			if chaos.Kill(ctx, nc, name) != nil {
				return
			}
			o.alive[name] = false
			o.kills++
			continue
		}
		name := fmt.Sprintf("round%d-%d", round, i)
		location, err := nc.Upload(ctx, bytes.NewReader(jar), nil)
		if err == nil {
			err = nc.Nimbus().SubmitTopology(ctx, name, location, "{}", code)
		}
		if err != nil {
			return
		}
		o.alive[name] = true
		o.submits++
		if mine = append(mine, name); i == 0 {
			close(first)
		}
	}
}

// changeSlowly submits a topology and kills the one before, every few seconds until ctx ends. Calls that fail leave it open what
// they did; a kill that did is made again later, so that what is left over does not take all slots.
func (o *oracle) changeSlowly(ctx context.Context, nc *client.Client, jar []byte, code *stormrpc.StormTopology) {
	const every, callLimit = 3 * time.Second, 30 * time.Second
	pace := time.NewTicker(every)
	defer pace.Stop()
	open := map[string]int{} // names that may be there, and how often it was said that they are not
	for i := 0; ; i++ {
		call, done := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
		for name := range open {
			delete(o.alive, name)
			err := o.history.do(kills, name, func() error { return chaos.Kill(call, nc, name) })
			switch {
			case err == nil:
				o.alive[name] = false
				o.kills++
				delete(open, name)
			case client.KindOf(err) == client.NotAlive && open[name] == 2: // a submit that was cut off does not come any more
				delete(open, name)
			case client.KindOf(err) == client.NotAlive:
				open[name]++
			}
		}
		name := fmt.Sprintf("nemesis-%d", i)
		location, err := nc.Upload(call, bytes.NewReader(jar), nil)
		if err == nil {
			open[name] = 0
			err = o.history.do(submits, name, func() error { return nc.Nimbus().SubmitTopology(call, name, location, "{}", code) })
		}
		if err == nil {
			o.alive[name] = true
			o.submits++
		}
		done()
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
	}
}

// largeJar takes a while to write, so that Nimbus is killed in the middle of that too.
func largeJar(t *testing.T, random *rand.Rand) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "resources/large"})
	for range 4096 { // 1 MiB, not compressed
		if err == nil {
			var chunk [256]byte
			for i := range chunk {
				chunk[i] = byte(random.Uint32())
			}
			_, err = w.Write(chunk[:])
		}
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// check compares what Nimbus knows with what has to be. A killed topology may be there for a moment, as KILLED.
func (o *oracle) check(ctx context.Context, c *chaos.Cluster) (wrong []string) {
	nimbus := c.Client().Nimbus()
	listed, err := nimbus.GetTopologySummaries(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	there := map[string]bool{}
	for _, s := range listed {
		there[s.Name] = s.Status != "KILLED"
		if s.Status == "KILLED" {
			continue
		}
		if code, err := nimbus.GetTopology(ctx, s.ID); err != nil || len(code.Bolts) < 2 {
			wrong = append(wrong, fmt.Sprintf("%s is there by half: %v", s.Name, err))
		}
		if s.Name == o.edited {
			continue
		}
		for _, key := range []string{client.JarKey(s.ID), client.CodeKey(s.ID), client.ConfKey(s.ID)} {
			var b countWriter
			if _, err := c.Client().DownloadBlob(ctx, key, &b, 1<<22); err != nil || b == 0 {
				wrong = append(wrong, fmt.Sprintf("blob %s has %d bytes: %v", key, b, err))
			}
		}
	}
	for name, alive := range o.alive {
		if there[name] != alive {
			wrong = append(wrong, fmt.Sprintf("%s: acknowledged as there %v, is there %v", name, alive, there[name]))
		}
	}
	return wrong
}

// countWriter counts what is written to it.
type countWriter int

func (w *countWriter) Write(p []byte) (int, error) { *w += countWriter(len(p)); return len(p), nil }
