package state

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// benchRow is a state of some fields.
type benchRow struct {
	N    int64
	Text string
}

// BenchmarkRestore restores the state of two tasks at once, as a worker does, with nothing collected on the way.
func BenchmarkRestore(b *testing.B) {
	const tasks = 2
	n := size()
	vault := &dirVault{dir: b.TempDir()}
	open := func(task int, dir string) (*Store, *Value[string, benchRow]) {
		s, err := New(Config{Name: "bench", Index: task, Tasks: tasks, Dir: dir, Memory: 8 << 20})
		if err != nil {
			b.Fatal(err)
		}
		return s, NewValue(s, "large", Strings[string](), Struct[benchRow]())
	}
	var parts [tasks]gearcore.Part
	for task := range tasks {
		s, v := open(task, "")
		first, last := gearcore.KeyGroupRange(task, tasks)
		for i := range n {
			key := benchKey(i)
			if g := Strings[string]().Group(&key, 0); g >= first && g <= last {
				v.Set(key, benchRow{int64(i), text(i)})
			}
		}
		parts[task], _, _ = save(b, s, 1, vault)
	}
	for _, where := range []string{"memory", "disk"} {
		b.Run(where, func(b *testing.B) {
			dir := ""
			if where == "disk" {
				dir = b.TempDir()
			}
			used := int64(0)
			for b.Loop() {
				b.StopTimer()
				var stores [tasks]*Store
				for task := range tasks {
					stores[task], _ = open(task, dir)
				}
				runtime.GC()
				before := processorTime(b)
				old := debug.SetGCPercent(-1)
				b.StartTimer()
				var all sync.WaitGroup
				for task, s := range stores {
					all.Go(func() {
						r := recovery(parts[task], vault)
						r.Index, r.Tasks = task, tasks
						r.First, r.Last = gearcore.KeyGroupRange(task, tasks)
						if err := s.Restore(r); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
				b.StopTimer()
				used += (processorTime(b) - before).Milliseconds()
				debug.SetGCPercent(old)
				if dir == "" && stores[0].Len()+stores[1].Len() != n {
					b.Fatal("not restored")
				}
				for _, s := range stores {
					if err := s.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(used)/float64(b.N), "cpu-ms/op")
		})
	}
}
