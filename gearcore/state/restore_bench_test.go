package state

import (
	"context"
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

// BenchmarkRestore restores the state of two tasks at once, as a worker does, with nothing collected on the way: into memory, onto a disk from what
// a Store on disk has written, and onto one from what a Store in memory has written.
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
	var blocks, sorted [tasks]gearcore.Part
	for task := range tasks {
		s, v := open(task, "")
		first, last := gearcore.KeyGroupRange(task, tasks)
		for i := range n {
			key := benchKey(i)
			if g := Strings[string]().Group(&key, 0); g >= first && g <= last {
				v.Set(key, benchRow{int64(i), text(i)})
			}
		}
		blocks[task], _, _ = save(b, s, 1, vault)
		sorted[task] = saveSorted(b, s, 2, vault)
	}
	for _, c := range []struct {
		name  string
		disk  bool
		parts [tasks]gearcore.Part
	}{{"memory", false, blocks}, {"disk", true, sorted}, {"disk-from-memory", true, blocks}} {
		b.Run(c.name, func(b *testing.B) {
			dir, parts := "", c.parts
			if c.disk {
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

// saveSorted is a checkpoint as a Store on disk writes it.
func saveSorted(tb testing.TB, s *Store, epoch uint64, vault gearcore.Vault) gearcore.Part {
	d, err := openDisk(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	defer d.release()
	f, err := s.Freeze(epoch)
	if err != nil {
		tb.Fatal(err)
	}
	f.(*frozen).form = &d.form
	part, err := f.Save(context.Background(), vault)
	if err != nil {
		tb.Fatal(err)
	}
	return part
}
