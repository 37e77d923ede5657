package state

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// dirVault is a checkpoint store in a directory, without checksums and fsync: what is measured is state, not disks.
type dirVault struct {
	dir string
	n   atomic.Int64
}

func (v *dirVault) Put(_ context.Context, name string, content io.Reader) (gearcore.File, error) {
	f, err := os.Create(filepath.Join(v.dir, fmt.Sprint(name, "-", v.n.Add(1))))
	if err != nil {
		return gearcore.File{}, err
	}
	n, err := io.Copy(f, content)
	if err != nil {
		return gearcore.File{}, err
	}
	return gearcore.File{Name: filepath.Base(f.Name()), Bytes: n}, f.Close()
}

func (v *dirVault) Get(_ context.Context, f gearcore.File) (io.ReadCloser, error) {
	return os.Open(filepath.Join(v.dir, f.Name))
}

// size is the state of the large benchmarks: STATE_BENCH_MB megabytes, 64 by default, in entries of 100 bytes.
func size() int {
	mb, err := strconv.Atoi(os.Getenv("STATE_BENCH_MB"))
	if err != nil {
		mb = 64
	}
	return mb << 20 / 100
}

const benchEntry = 100 - recordHead - 17 - 1 // the value's bytes

func large(tb testing.TB, cfg Config) (*Store, *Value[string, string]) {
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return s, NewValue(s, "large", Strings[string](), Codec[string](Strings[string]()))
}

func text(i int) string {
	b := make([]byte, benchEntry)
	for j := range b {
		b[j] = byte('a' + (i*7+j*3)%26)
	}
	return string(b)
}

func benchKey(i int) string { return fmt.Sprintf("key-%012d", i) }

func save(tb testing.TB, s *Store, epoch uint64, vault gearcore.Vault) (part gearcore.Part, freeze, write time.Duration) {
	begin := time.Now()
	f, err := s.Freeze(epoch)
	if err != nil {
		tb.Fatal(err)
	}
	freeze = time.Since(begin)
	if part, err = f.Save(context.Background(), vault); err != nil {
		tb.Fatal(err)
	}
	return part, freeze, time.Since(begin) - freeze
}

func recovery(p gearcore.Part, vault gearcore.Vault) *gearcore.Recovery {
	return &gearcore.Recovery{Epoch: 1, Parts: []gearcore.TaskPart{{Part: p}}, Tasks: 1, Last: gearcore.KeyGroups - 1, Vault: vault}
}

// BenchmarkLarge changes one entry in a hundred, makes a checkpoint, and restores the last one.
func BenchmarkLarge(b *testing.B) {
	n := size()
	vault := &dirVault{dir: b.TempDir()}
	s, v := large(b, Config{Name: "bench"})
	for i := range n {
		v.Set(benchKey(i), text(i))
	}
	part, freeze, write := save(b, s, 1, vault)
	s.Commit(1)
	b.Logf("the whole, %d MB: freeze %v, save %v, %d files", n*100>>20, freeze, write, len(part.Files))
	b.Run("change-1-percent", func(b *testing.B) {
		epoch, at, frozen := uint64(1), 0, time.Duration(0)
		for b.Loop() {
			b.StopTimer()
			for range n / 100 {
				at = (at + 7919) % n
				v.Set(benchKey(at), text(at+int(epoch)))
			}
			epoch++
			b.StartTimer()
			part, freeze, _ = save(b, s, epoch, vault)
			frozen += freeze
			s.Commit(epoch)
		}
		b.ReportMetric(float64(frozen.Milliseconds())/float64(b.N), "freeze-ms/op")
	})
	s, v = nil, nil
	runtime.GC()
	for _, where := range []string{"memory", "disk"} {
		b.Run("restore-"+where, func(b *testing.B) {
			cfg := Config{Name: "bench"}
			if where == "disk" {
				cfg.Dir, cfg.Memory = b.TempDir(), 8<<20
			}
			used := time.Duration(0)
			for b.Loop() {
				s, v := large(b, cfg)
				before := processorTime(b)
				if err := s.Restore(recovery(part, vault)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				used += processorTime(b) - before
				if x, ok := v.Get(benchKey(n - 1)); !ok || len(x) != benchEntry || cfg.Dir == "" && s.Len() != n {
					b.Fatal("not restored")
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// processorTime is what this process has used: it says more than the time that passed where others use the machine.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDisk reads and changes entries at random in a state that is sixteen times as large as what it may have in memory, as a task does:
// with a look at the memory behind each record, and a checkpoint after one update for every hundred entries. An op is one update.
func BenchmarkDisk(b *testing.B) {
	n := size()
	vault := &dirVault{dir: b.TempDir()}
	s, v := large(b, Config{Name: "bench", Dir: b.TempDir(), Memory: int64(n) * 100 / 16})
	defer s.Close()
	trim := func() {
		if err := s.Trim(); err != nil {
			b.Fatal(err)
		}
	}
	epoch, at := uint64(0), uint64(1)
	checkpoint := func() {
		epoch++
		save(b, s, epoch, vault)
		s.Commit(epoch)
	}
	for i := range n {
		v.Set(benchKey(i), text(i))
		trim()
	}
	checkpoint()
	done, before := 0, processorTime(b)
	for b.Loop() {
		at = at*6364136223846793005 + 1442695040888963407
		v.Update(benchKey(int(at>>33)%n), func(x *string) { *x = text(done) })
		trim()
		if done++; done%(n/100) == 0 {
			checkpoint()
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(done), "cpu-us/op")
}
