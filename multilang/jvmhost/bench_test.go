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
