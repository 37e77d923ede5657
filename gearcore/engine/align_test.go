package engine

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// lone is an engine that has only the task of c, between a, b and d, which are in other workers.
type lone struct {
	*bench
	sum     *adder
	a, b, c gearcore.TaskID
	sent    *recorder
	rows    map[gearcore.TaskID]uint64 // that each has sent
	done    int                        // batches that were consumed
}

// recorder is an Outlet that keeps what is pushed.
type recorder struct{ got []*gearcore.Batch }

func (r *recorder) Push(b *gearcore.Batch) bool {
	r.got = append(r.got, &gearcore.Batch{Target: b.Target, From: b.From, Watermark: b.Watermark, Marker: b.Marker, Generation: b.Generation, Behind: b.Behind,
		Rows: slices.Clone(b.Rows), Vals: slices.Clone(b.Vals)})
	finish(b)
	return true
}
func (r *recorder) HasRoom() bool      { return true }
func (r *recorder) Notify(wake func()) { wake() }

// said returns what was sent since the last call: values, then "w" and "m" with watermark and marker.
func (l *lone) said() string {
	var out []string
	for _, b := range l.sent.got {
		for i := range b.Rows {
			out = append(out, fmt.Sprint(b.Tuple(i).Int(0)))
		}
		if b.Watermark != 0 {
			out = append(out, fmt.Sprint("w", b.Watermark))
		}
		if b.Marker != 0 {
			out = append(out, fmt.Sprint("m", b.Marker))
		}
	}
	l.sent.got = nil
	return strings.Join(out, " ")
}

func alone(t *testing.T, adjust func(*Config)) *lone {
	t.Helper()
	l := &lone{sum: &adder{}, sent: &recorder{}, rows: map[gearcore.TaskID]uint64{}}
	top := pairOf(&script{}, &script{}, l.sum, &adder{})
	l.bench = drive(t, top, func(cfg *Config) {
		cfg.Local = slices.DeleteFunc(slices.Clone(cfg.Local), func(d dag.Executor) bool { return d.Processor.Name != "c" })
		cfg.Remote = func(gearcore.TaskID) Outlet { return l.sent }
		l.a, l.b, l.c = cfg.Plan.TasksOf("a")[0], cfg.Plan.TasksOf("b")[0], cfg.Plan.TasksOf("c")[0]
		if adjust != nil {
			adjust(cfg)
		}
	})
	return l
}

// batch returns one of a generation from a task, with rows.
func (l *lone) batch(from gearcore.TaskID, generation uint64, values ...int64) *gearcore.Batch {
	b := &gearcore.Batch{Target: l.c, From: from, Generation: generation, Behind: l.rows[from], Done: func(*gearcore.Batch) { l.done++ }}
	stream, _ := l.plan().Stream(l.plan().Layout.Components[from], "default")
	for _, v := range values {
		b.Append(stream, from, []gearcore.Value{gearcore.Long(v)}, nil)
	}
	l.rows[from] += uint64(len(values))
	return b
}

// gets delivers a batch and runs what is to be run.
func (l *lone) gets(b *gearcore.Batch) {
	l.Helper()
	if err := l.Deliver(b); err != nil {
		l.Fatal(err)
	}
	l.settle(0)
}

func marker(b *gearcore.Batch, k uint64) *gearcore.Batch {
	b.Marker = k
	return b
}

func watermark(b *gearcore.Batch, w gearcore.Watermark) *gearcore.Batch {
	b.Watermark = w
	return b
}

func (l *lone) expect(what, said string, seen ...int64) {
	l.Helper()
	l.settle(time.Second)
	if got := l.said(); got != said {
		l.Errorf("%s: it sent %q, want %q", what, got, said)
	}
	if !slices.Equal(l.sum.seen, seen) {
		l.Errorf("%s: it has executed %v, want %v", what, l.sum.seen, seen)
	}
	l.sum.seen = nil
}

func TestAlignment(t *testing.T) {
	l := alone(t, nil)
	l.begin(checkpoint.Order{Generation: 1})
	l.gets(marker(watermark(l.batch(l.a, 1, 1), 10), 5))
	l.gets(watermark(l.batch(l.a, 1, 2), 30))
	l.gets(l.batch(l.a, 1, 3))
	l.gets(watermark(l.batch(l.b, 1, 4), 20))
	l.expect("a's marker has come", "1 4 w10", 1, 4)
	if l.done != 2 {
		t.Errorf("%d batches were consumed, want 2", l.done)
	}
	r := l.Report()
	if len(r.Waiting) != 1 || r.Waiting[0].Task != l.c || r.Waiting[0].For != l.b || r.Epoch != 5 || len(r.Saved) != 0 {
		t.Errorf("the report is %+v", r)
	}
	l.gets(marker(l.batch(l.b, 1, 5), 5))
	l.expect("b's marker has come", "5 m5 2 3 w20", 5, 2, 3)
	p := l.saved(5)[l.c]
	if n := restoredNumber(&gearcore.Recovery{Parts: []gearcore.TaskPart{p}}); n != 10 || p.Watermark != 10 || l.done != 5 {
		t.Errorf("%d was saved at %d, %d batches were consumed; want 10 at 10, and 5", n, p.Watermark, l.done)
	}
}

func TestDroppedEndsAlignment(t *testing.T) {
	l := alone(t, nil)
	l.begin(checkpoint.Order{Generation: 1})
	l.gets(marker(l.batch(l.a, 1, 1), 5))
	l.gets(l.batch(l.a, 1, 2))
	l.expect("a waits", "1", 1)
	l.Obey(checkpoint.Order{Generation: 1, Dropped: 5})
	l.expect("dropped", "2", 2)
	l.gets(marker(l.batch(l.b, 1, 3), 5))
	l.expect("a marker that is late", "3", 3)
	l.gets(marker(l.batch(l.b, 1), 6))
	l.gets(l.batch(l.b, 1, 4))
	l.gets(marker(l.batch(l.b, 1, 5), 7))
	l.gets(marker(l.batch(l.a, 1, 6), 7))
	l.expect("a newer marker, before 6 was known to be dropped", "6 4 5 m7", 6, 4, 5)
	if !slices.Equal(l.sum.frozen, []uint64{7}) {
		t.Errorf("it was frozen for %v, want 7", l.sum.frozen)
	}
}

func TestAlignmentThatTakesTooLong(t *testing.T) {
	l := alone(t, func(cfg *Config) { cfg.Timing.AlignLimit = 5 * time.Second })
	l.begin(checkpoint.Order{Generation: 1})
	l.gets(marker(l.batch(l.a, 1, 1), 5))
	l.settle(4 * time.Second)
	if r := l.Report(); r.Failed != "" {
		t.Errorf("after 4 s it has failed: %s", r.Failed)
	}
	l.settle(2 * time.Second)
	if r := l.Report(); !strings.Contains(r.Failed, "task 3 of c has waited 6s for the marker of task 2 of b") {
		t.Errorf("after 6 s it says %q", r.Failed)
	}
}

// What a report says of tasks that cannot save.
func TestCheckpointFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		save func() error
		want string
	}{
		{"an error", func() error { return errDisk }, "save task 3 of c: the disk is full"},
		{"a panic", func() error { panic("no way") }, "save task 3 of c: panic: no way"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := alone(t, nil)
			l.sum.save = c.save
			l.begin(checkpoint.Order{Generation: 1})
			l.gets(marker(l.batch(l.a, 1), 5))
			l.gets(marker(l.batch(l.b, 1), 5))
			if r := l.Report(); r.Failed != c.want || r.Broken != "" {
				t.Errorf("the report is %+v, want it to have failed: %s", r, c.want)
			}
			l.sum.save = nil
			l.Obey(checkpoint.Order{Generation: 1, Dropped: 5})
			l.gets(marker(l.batch(l.a, 1), 6))
			l.gets(marker(l.batch(l.b, 1), 6))
			if len(l.saved(6)) != 1 {
				t.Error("the next one has not been saved")
			}
		})
	}
}

// What makes a generation end, and what does not.
func TestBroken(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(l *lone)
		want string
	}{
		{"an error of Execute", func(l *lone) {
			l.sum.execute = func(int64) error { return errDisk }
			l.gets(l.batch(l.a, 1, 1))
		}, "task 3 of c: the disk is full"},
		{"a tuple that it does not want", func(l *lone) {
			l.sum.execute = func(int64) error { return gearcore.ErrFailed }
			l.gets(l.batch(l.a, 1, 1))
		}, "task 3 of c: it failed a tuple"},
		{"a panic", func(l *lone) {
			l.sum.execute = func(int64) error { panic("oh") }
			l.gets(l.batch(l.a, 1, 1))
		}, "task 3 of c: panic: oh"},
		{"a panic of Advance", func(l *lone) {
			l.sum.onAdvance = func(gearcore.Watermark, *gearcore.Collector) { panic("oh") }
			l.gets(watermark(l.batch(l.a, 1, 1), 5))
			l.gets(watermark(l.batch(l.b, 1, 1), 5))
		}, "task 3 of c: panic: oh"},
		{"a lost frame, as the link says", func(l *lone) { l.Lost("a frame") }, "a frame"},
		{"a lost batch, as its receiver sees", func(l *lone) {
			l.gets(l.batch(l.a, 1, 1, 2))
			l.batch(l.a, 1, 3)
			l.gets(l.batch(l.a, 1, 4))
			l.gets(l.batch(l.a, 1, 5))
			if l.sum.sum != 3 {
				l.Errorf("it has executed what was behind the gap: the sum is %d", l.sum.sum)
			}
		}, "of what task 1 sent, 2 rows have come before a batch that had 3 before it"},
		{"a batch of an earlier generation", func(l *lone) { l.gets(l.batch(l.a, 0, 1)) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := alone(t, nil)
			l.begin(checkpoint.Order{Generation: 1})
			told := l.told
			c.do(l)
			r := l.Report()
			if c.want == "" && r.Broken != "" || !strings.Contains(r.Broken, c.want) {
				t.Errorf("broken: %q, want %q", r.Broken, c.want)
			}
			if c.want != "" && l.told == told {
				t.Error("nobody was told")
			}
			l.sum.execute, l.sum.onAdvance = nil, nil
			l.begin(checkpoint.Order{Generation: 2})
			if r := l.Report(); r.Broken != "" {
				t.Errorf("the next generation is broken: %s", r.Broken)
			}
		})
	}
}

func TestGenerations(t *testing.T) {
	l := alone(t, nil)
	l.begin(checkpoint.Order{Generation: 3})
	l.gets(l.batch(l.a, 3, 1))
	l.gets(marker(l.batch(l.b, 3, 2), 1))
	l.gets(l.batch(l.b, 3, 3))
	l.expect("generation 3", "1 2", 1, 2)
	clear(l.rows)
	l.gets(l.batch(l.b, 4, 10))
	l.gets(watermark(l.batch(l.b, 4, 11), 7))
	l.expect("of generation 4", "")
	l.Obey(checkpoint.Order{Generation: 2})
	l.Obey(checkpoint.Order{Generation: 5, Go: true})
	l.expect("orders of an earlier generation, and of one that began without this worker", "")
	if r := l.Report(); r.Generation != 3 {
		t.Fatalf("it has obeyed generation %d", r.Generation)
	}
	l.begin(checkpoint.Order{Generation: 4, Dropped: 1})
	l.expect("generation 4", "10 11", 10, 11)
	if l.sum.sum != 21 || l.sum.restored != 2 {
		t.Errorf("the sum is %d after %d restores, want 21 after 2", l.sum.sum, l.sum.restored)
	}
	if l.done != 5 {
		t.Errorf("%d batches were consumed or dropped, want 5", l.done)
	}
	l.gets(watermark(l.batch(l.a, 4, 12), 9))
	l.expect("the clock begins anew", "12 w7", 12)
}

// A task that cannot be restored asks for another generation, and names what is gone.
func TestRestoreFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		gone uint64
	}{{errDisk, 0}, {fmt.Errorf("read: %w", checkpoint.ErrCorrupt), 7}} {
		var err error = c.err
		l := alone(t, func(cfg *Config) {
			cfg.Timing.Parts = func(uint64, string) ([]gearcore.TaskPart, error) { return nil, err }
		})
		l.Obey(checkpoint.Order{Generation: 1, Restore: 7})
		l.settle(time.Second)
		r := l.Report()
		if r.Restored || !strings.Contains(r.Broken, "task 3 of c: restore checkpoint 7: "+c.err.Error()) || r.Unreadable != c.gone {
			t.Errorf("the report is %+v", r)
		}
		err = nil
		l.begin(checkpoint.Order{Generation: 2, Restore: 6})
		if r := l.Report(); r.Broken != "" || r.Unreadable != 0 {
			t.Errorf("the report is %+v", r)
		}
	}
}

// largeFile is a file of checkpoint 7 that is not read at once, and what damages a byte of it.
func largeFile(t *testing.T) (vault gearcore.Vault, file gearcore.File, damage func(at int)) {
	t.Helper()
	store := new(checkpoint.Memory)
	vault = checkpoint.NewVault(store, "t", 7)
	content := make([]byte, 2<<20)
	file, err := vault.Put(t.Context(), "large", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return vault, file, func(at int) {
		t.Helper()
		content[at] = 1
		if err := store.Put(t.Context(), file.Name, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
}

// A task that stumbles over damaged content before it comes to its end has the checkpoint left aside, and one that fails for another reason has not.
func TestRestoreFromDamaged(t *testing.T) {
	vault, file, damage := largeFile(t)
	for _, gone := range []uint64{0, 7} {
		if gone > 0 {
			damage(1)
		}
		l := alone(t, func(cfg *Config) {
			cfg.Timing.Vault = func(uint64) gearcore.Vault { return vault }
			cfg.Timing.Parts = func(uint64, string) ([]gearcore.TaskPart, error) {
				return []gearcore.TaskPart{{Part: gearcore.Part{Inline: []byte("short"), Files: []gearcore.File{file}}}}, nil // and the sum panics
			}
		})
		l.Obey(checkpoint.Order{Generation: 1, Restore: 7})
		l.settle(time.Second)
		if r := l.Report(); r.Restored || !strings.Contains(r.Broken, "index out of range") || r.Unreadable != gone {
			t.Errorf("the report is %+v, want checkpoint %d left aside", r, gone)
		}
	}
}

// A task that decodes what is damaged, and stops before the end of the file where that shows, has not restored anything.
func TestRestoreStopsBeforeTheEnd(t *testing.T) {
	vault, file, damage := largeFile(t)
	for _, gone := range []uint64{0, 7} {
		if gone > 0 {
			damage(1 << 20)
		}
		l := alone(t, func(cfg *Config) {
			cfg.Timing.Vault = func(uint64) gearcore.Vault { return vault }
			cfg.Timing.Parts = func(uint64, string) ([]gearcore.TaskPart, error) {
				return []gearcore.TaskPart{{Part: gearcore.Part{Files: []gearcore.File{file}}}}, nil
			}
		})
		l.sum.restore = func(r *gearcore.Recovery) error {
			in, err := r.Vault.Get(t.Context(), r.Parts[0].Files[0])
			if err != nil {
				return err
			}
			defer in.Close()
			_, err = io.ReadFull(in, make([]byte, 100))
			return err
		}
		l.Obey(checkpoint.Order{Generation: 1, Restore: 7})
		l.settle(time.Second)
		if r := l.Report(); r.Restored != (gone == 0) || r.Unreadable != gone || gone > 0 && !strings.Contains(r.Broken, "its checksum differs") {
			t.Errorf("the report is %+v, want checkpoint %d left aside", r, gone)
		}
	}
}

// A task that does nothing with what there is for it is named.
func TestStuckTasksAreNamed(t *testing.T) {
	var hold bool
	var stuck [][]gearcore.TaskID
	l := alone(t, nil)
	l.sum.execute = func(int64) error {
		if hold {
			for range 3 {
				stuck = append(stuck, l.Report().Clocks[0].Stuck)
				l.clock.now += time.Second
			}
		}
		return nil
	}
	l.begin(checkpoint.Order{Generation: 1})
	l.gets(l.batch(l.a, 1, 1))
	l.Report()
	hold = true
	l.gets(l.batch(l.a, 1, 1))
	if len(stuck) != 3 || len(stuck[0])+len(stuck[1]) > 0 || !slices.Equal(stuck[2], []gearcore.TaskID{l.c}) {
		t.Errorf("stuck at once, after 1 s and after 2 s: %v", stuck)
	}
	if r := l.Report(); len(r.Clocks[0].Stuck) > 0 {
		t.Errorf("after the call it says %+v", r.Clocks)
	}
}
