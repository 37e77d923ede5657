package jvmhost

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf returns the processor time of another process, in steps of 10 ms.
func cpuOf(tb testing.TB, pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Skipf("needs /proc: %v", err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkCodec is what a tuple costs on its way to Java and back, without Java: a text and a number, and a list of numbers.
func BenchmarkCodec(b *testing.B) {
	const rows = 128
	text := gearcore.Str(strings.Repeat("x", 100))
	list := gearcore.List([]gearcore.Value{gearcore.Long(1), gearcore.Double(2), gearcore.Null(), gearcore.Long(1 << 40)})
	for _, c := range []struct {
		name string
		vals []gearcore.Value
	}{{"plain", []gearcore.Value{text, gearcore.Long(12345)}}, {"list", []gearcore.Value{list}}} {
		var in gearcore.Batch
		for range rows {
			in.Append(0, 1, c.vals, nil)
		}
		perTuple := func(b *testing.B, before time.Duration) {
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N*rows), "cpu-ns/tuple")
		}
		b.Run(c.name+"/encode", func(b *testing.B) {
			var buf []byte
			before := cpu()
			for b.Loop() {
				buf, _, _ = appendBatch(buf[:0], 1, &held{}, &in, 0, nil)
			}
			perTuple(b, before)
		})
		b.Run(c.name+"/decode", func(b *testing.B) {
			body := []byte{rows, 0, 0, 0}
			for i := range rows {
				row := []byte{anchorNone << anchorShift}
				if i == 0 {
					row = []byte{bitHead, 0, 0, byte(len(c.vals))}
				}
				body = append(body, row...)
				for _, v := range c.vals {
					body, _ = codec.Append(body, v)
				}
			}
			rp, texts := &reply{}, gearcore.Chunk{}
			before := cpu()
			for b.Loop() {
				rp.reset()
				if err := rp.add(frameEmit, body, 1, &texts); err != nil {
					b.Fatal(err)
				}
			}
			perTuple(b, before)
		})
	}
}

// BenchmarkEcho sends tuples of one string of 100 bytes from a Go spout through Java to two Go sinks that Java chooses
// between, and prints what a tuple costs on both sides, spout and sinks included.
func BenchmarkEcho(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(3200)) // as a worker does with a small live heap
	for _, c := range []struct {
		name   string
		ackers int
		outs   map[string]string
	}{
		{"unacked", 0, map[string]string{"default": "java"}},
		{"acked", 1, map[string]string{"default": "java"}},
		{"routed-in-go", 0, map[string]string{"default": "go"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := startHost(b, echo(b))
			texts := make([]string, 64)
			for i := range texts {
				texts[i] = fmt.Sprintf("%0100d", i)
			}
			l := &line{ackers: c.ackers, width: 1, outs: c.outs, sinks: []*sink{{}, {}}, src: &source{track: c.ackers > 0}, pending: 32768}
			l.src.make = func(i int64, vals []gearcore.Value) []gearcore.Value {
				return append(vals, gearcore.Str(texts[i&63]))
			}
			l.start(b, h)
			const warm = 3_000_000
			want := int64(warm)
			l.src.limit.Store(want)
			eventually(b, "warm", func() bool { return total(l.sinks...) >= want })
			here, there := cpu(), cpuOf(b, h.PID())
			b.ResetTimer()
			n := int64(0)
			for b.Loop() {
				n += 100_000
				l.src.limit.Add(100_000)
				for total(l.sinks...) < want+n-200_000 {
					time.Sleep(200 * time.Microsecond)
				}
			}
			eventually(b, "all have come", func() bool { return total(l.sinks...) == want+n })
			took := b.Elapsed()
			b.ReportMetric(float64(n)/took.Seconds(), "tuples/s")
			b.ReportMetric(float64((cpu()-here).Nanoseconds())/float64(n), "go-cpu-ns/tuple")
			b.ReportMetric(float64((cpuOf(b, h.PID())-there).Nanoseconds())/float64(n), "jvm-cpu-ns/tuple")
			b.ReportMetric(0, "ns/op")
		})
	}
}
