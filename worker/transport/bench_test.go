package transport

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLoopback sends tuples of a 100-byte string between two transports of this process over TCP, batches of
// 256, and reports tuples per second. Received texts are copies that may be kept.
func BenchmarkLoopback(b *testing.B) {
	one := []gearcore.TaskID{4}
	for _, c := range []struct {
		name    string
		rows    int
		targets []gearcore.TaskID
		change  func(*Config)
		keeps   Keeps
	}{
		{"tcp, all kept", 256, one, overTCP, KeepsAll}, {"tcp, texts kept", 256, one, overTCP, KeepsTexts}, {"tcp, nothing kept", 256, one, overTCP, KeepsNothing},
		{"unix, texts kept", 256, one, kinds[1].change, KeepsTexts},
		{"ring, all kept", 256, one, nil, KeepsAll}, {"ring, texts kept", 256, one, nil, KeepsTexts}, {"ring, nothing kept", 256, one, nil, KeepsNothing},
		{"ring, two targets", 256, []gearcore.TaskID{4, 5}, nil, KeepsTexts}, {"ring, single rows", 1, one, nil, KeepsTexts},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(3200)) // a worker's heap floor
			var n atomic.Int64
			text := strings.Repeat("x", 100)
			recv := start(b, "b", func(cfg *Config) {
				if c.change != nil {
					c.change(cfg)
				}
				cfg.Keeps = func(gearcore.TaskID) Keeps { return c.keeps }
				cfg.Deliver = func(x *gearcore.Batch) error { n.Add(int64(len(x.Rows))); x.Done(x); return nil }
			})
			send := start(b, "a", c.change)
			send.to(recv.Addr().String(), c.targets...)
			await(b, "link is up", send.Ready)
			l := testLayout()
			free := make(chan *gearcore.Batch, 64)
			for range cap(free) {
				x := &gearcore.Batch{Layout: l, From: 1}
				for range c.rows {
					x.Append(0, 1, []gearcore.Value{gearcore.Str(text)}, nil)
				}
				x.Done = func(x *gearcore.Batch) { free <- x }
				free <- x
			}
			b.ReportAllocs()
			b.ResetTimer()
			used := cpu()
			sent := 0
			for i := 0; sent < b.N; i++ {
				x, target := <-free, c.targets[i%len(c.targets)]
				x.Target = target
				sent += c.rows
				o := send.Outlet(target)
				if !o.Push(x) {
					room := make(chan struct{})
					o.Notify(func() { close(room) })
					<-room
				}
			}
			await(b, "all arrive", func() bool { return n.Load() == int64(sent) })
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds()/1e6, "Mtuples/s")
			b.ReportMetric(float64(cpu()-used)/float64(sent), "cpu-ns/tuple")
		})
	}
}

// BenchmarkPaced sends one tuple a millisecond: what a tuple costs where every one of them wakes somebody up.
func BenchmarkPaced(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			arrived := make(chan time.Time, 1)
			recv := start(b, "b", func(cfg *Config) {
				if k.change != nil {
					k.change(cfg)
				}
				cfg.Deliver = func(x *gearcore.Batch) error { arrived <- time.Now(); x.Done(x); return nil }
			})
			send := start(b, "a", k.change)
			send.to(recv.Addr().String(), 4)
			await(b, "link is up", send.Ready)
			o, l := send.Outlet(4), testLayout()
			var took []time.Duration
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			b.ResetTimer()
			used := cpu()
			for range b.N {
				<-tick.C
				at := time.Now()
				o.Push(batch(l, 4, "x"))
				took = append(took, (<-arrived).Sub(at))
			}
			b.ReportMetric(float64(cpu()-used)/float64(b.N)/1e3, "cpu-us/tuple")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e3, "us-median")
		})
	}
}
