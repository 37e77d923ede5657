package state

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/internal/testdisk"
)

// savedLarge is a checkpoint with n entries of 100 bytes, as a Store in memory writes it, or as one on disk does.
func savedLarge(t *testing.T, n int, onDisk bool) (gearcore.Part, *memVault) {
	t.Helper()
	s, v := large(t, Config{})
	for i := range n {
		v.Set(benchKey(i), text(i))
	}
	vault := newVault()
	if onDisk {
		return saveSorted(t, s, 1, vault), vault
	}
	p, _, _ := save(t, s, 1, vault)
	return p, vault
}

// TestCorruptFilesAreNamed damages a file in every way: restoring fails with an error that names it, in memory and on disk.
func TestCorruptFilesAreNamed(t *testing.T) {
	for _, onDisk := range []bool{false, true} {
		corruptFilesAreNamed(t, onDisk)
	}
}

func corruptFilesAreNamed(t *testing.T, onDisk bool) {
	part, vault := savedLarge(t, 3000, onDisk)
	name := part.Files[0].Name
	whole := vault.files[name]
	damage := map[string]func(b []byte) []byte{
		"empty":         func(b []byte) []byte { return nil },
		"cut":           func(b []byte) []byte { return b[:len(b)/2] },
		"cut at end":    func(b []byte) []byte { return b[:len(b)-1] },
		"magic":         func(b []byte) []byte { b[0] ^= 1; return b },
		"version":       func(b []byte) []byte { b[4]++; return b },
		"header length": func(b []byte) []byte { b[9] = 0xff; return b },
		"header":        func(b []byte) []byte { b[20] ^= 1; return b },
		"middle":        func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
		"last block":    func(b []byte) []byte { b[len(b)-9]++; return b },
		"more":          func(b []byte) []byte { return append(b, b...) },
	}
	for what, f := range damage {
		vault.files[name] = f(bytes.Clone(whole))
		for _, cfg := range []Config{{Name: "c[1]"}, {Name: "c[1]", Dir: t.TempDir(), Memory: 1000}} {
			s, v := large(t, cfg)
			err := s.Restore(recovery(part, vault))
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "c[1]") {
				t.Errorf("%s: %v", what, err)
			}
			if _, never := errors.AsType[*gearcore.MisfitError](err); never || what != "version" && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v is not ErrCorrupt", what, err)
			}
			vault.files[name] = whole
			if err := s.Restore(recovery(part, vault)); err != nil { // an earlier checkpoint, say
				t.Errorf("%s: restored again: %v", what, err)
			} else if x, ok := v.Get(benchKey(7)); !ok || x != text(7) {
				t.Errorf("%s: restored again, an entry is %q", what, x)
			}
			vault.files[name] = f(bytes.Clone(whole))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	delete(vault.files, name)
	s, _ := large(t, Config{})
	if err := s.Restore(recovery(part, vault)); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("missing: %v", err)
	}
	part.Files[0].Meta = "?"
	err := s.Restore(recovery(part, vault))
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), name) || !isForeign(err) {
		t.Errorf("not of ours: %v", err)
	}
	for _, text := range []string{"no state", "no"} {
		if err := s.Restore(recovery(gearcore.Part{Inline: []byte(text)}, vault)); !errors.Is(err, ErrCorrupt) || !isForeign(err) {
			t.Errorf("an inline part of something else: %v", err)
		}
	}
}

// isForeign says whether err is that a component of another kind wrote what there is, so that trying again is of no use.
func isForeign(err error) bool {
	_, never := errors.AsType[*gearcore.MisfitError](err)
	return never && strings.Contains(err.Error(), "written by a component of another kind")
}

func TestHandlesThatChanged(t *testing.T) {
	part, vault := savedLarge(t, 1000, false)
	for _, c := range []struct {
		make func(s *Store)
		want string
	}{
		{func(s *Store) {}, `the handle "large", which this program does not register; to drop what it keeps, name it in the component's configuration: gearstorm.state.forget: [large]`},
		{func(s *Store) {
			NewMap(s, "large", Strings[string](), Codec[string](Strings[string]()), Codec[string](Strings[string]()))
		}, "it was a value and is registered as a map"},
		{func(s *Store) { NewValue(s, "large", Ints[int](), Codec[string](Strings[string]())) }, `its key: it was written as "s"`},
		{func(s *Store) { NewValue(s, "large", Strings[string](), Floats[float64]()) }, `its value: it was written as "s"`},
	} {
		s, err := New(Config{Name: "c"})
		if err != nil {
			t.Fatal(err)
		}
		c.make(s)
		err = s.Restore(recovery(part, vault))
		if _, never := errors.AsType[*gearcore.MisfitError](err); !never || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q, which is for ever", err, c.want)
		}
	}
	for _, forget := range []any{"large", []string{"large"}, []any{"other", "large"}} {
		cfg := ConfigOf(&gearcore.Context{Conf: map[string]any{"gearstorm.state.forget": forget}, Layout: &gearcore.Layout{}}, "c")
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Restore(recovery(part, vault)); err != nil || s.Len() != 0 {
			t.Errorf("forgotten with %v: %d entries, %v", forget, s.Len(), err)
		}
	}
	if _, err := New(Config{Forget: make([]string, maxTables+1)}); err == nil {
		t.Error("too many are forgotten")
	}
}

// TestForgottenIsGone: what was dropped is not back when a later program has a handle of that name again.
func TestForgottenIsGone(t *testing.T) {
	for where, cfg := range map[string]Config{"memory": {}, "disk": {Dir: t.TempDir(), Memory: 1000}} {
		open := func(forget ...string) (*Store, *Value[string, string]) {
			cfg.Forget = forget
			s, v := large(t, cfg)
			t.Cleanup(func() { s.Close() })
			s.lim, s.chain.lim = small, small
			return s, v
		}
		dropped := func(s *Store) *Value[string, string] {
			return NewValue(s, "dropped", Strings[string](), Codec[string](Strings[string]()))
		}
		vault := newVault()
		s, v := open()
		d := dropped(s)
		for i := range 100 {
			v.Set(benchKey(i), text(i))
			d.Set(benchKey(i), text(i))
		}
		part, _, _ := save(t, s, 1, vault)
		s, v = open("dropped")
		if err := s.Restore(recovery(part, vault)); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		v.Delete(benchKey(7))
		part, _, _ = save(t, s, 2, vault)
		s, v = open()
		d = dropped(s)
		if err := s.Restore(recovery(part, vault)); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		for i := range 100 {
			if d.Has(benchKey(i)) || v.Has(benchKey(i)) == (i == 7) {
				t.Fatalf("%s: entry %d: dropped %v, kept %v", where, i, d.Has(benchKey(i)), v.Has(benchKey(i)))
			}
		}
	}
}

func TestHandlesAreChecked(t *testing.T) {
	for want, f := range map[string]func(s *Store){
		`two handles are called "a"`: func(s *Store) {
			NewTimers(s, "a", Strings[string]())
			NewTimers(s, "a", Strings[string]())
		},
		"a handle without a name": func(s *Store) { NewTimers(s, "", Strings[string]()) },
		"cannot be kept":          func(s *Store) { NewValue(s, "f", Strings[string](), Struct[func()]()) },
	} {
		s, _ := New(Config{})
		f(s)
		if _, err := s.Freeze(1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := s.Restore(&gearcore.Recovery{}); err == nil || s.Err() == nil {
			t.Errorf("%s: restored", want)
		}
	}
	for _, cfg := range []Config{{Index: 3, Tasks: 3}, {Index: -1, Tasks: 2}, {Tasks: gearcore.KeyGroups + 1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestForeignKeysAreNamed: a key that another task has the group of would be lost by the next change of parallelism.
func TestForeignKeysAreNamed(t *testing.T) {
	s, err := New(Config{Name: "c[0]", Index: 0, Tasks: 2})
	if err != nil {
		t.Fatal(err)
	}
	v := NewValue(s, "v", Strings[string](), Bytes())
	own, foreign := "", ""
	for i := 0; own == "" || foreign == ""; i++ {
		if k := fmt.Sprint(i); GroupOf(gearcore.HashByValue, gearcore.Str(k)) < gearcore.KeyGroups/2 {
			own = k
		} else {
			foreign = k
		}
	}
	v.Set(own, []byte("x"))
	v.Set(foreign, nil)
	if _, err := s.Freeze(1); err == nil || !strings.Contains(err.Error(), "key "+foreign+" of v is in key group") {
		t.Fatalf("%v", err)
	}
	v.Delete(foreign)
	vault := newVault()
	p, _, _ := save(t, s, 2, vault) // what the failed Freeze had taken is not lost
	again, _ := New(Config{Index: 0, Tasks: 2})
	w := NewValue(again, "v", Strings[string](), Bytes())
	r := recovery(p, vault)
	r.Tasks, r.Last = 2, gearcore.KeyGroups/2-1
	if err := again.Restore(r); err != nil {
		t.Fatal(err)
	}
	if x, ok := w.Get(own); !ok || string(x) != "x" {
		t.Errorf("restored %q, %v", x, ok)
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	s, v := large(t, Config{})
	v.Set(strings.Repeat("k", maxKey), "x")
	if _, err := s.Freeze(1); err == nil || !strings.Contains(err.Error(), "write a key of large") {
		t.Errorf("a long key: %v", err)
	}
	s, v = large(t, Config{})
	v.Set("k", strings.Repeat("x", maxRecord))
	if _, err := s.Freeze(1); err == nil || !strings.Contains(err.Error(), "write key k of large") {
		t.Errorf("a long value: %v", err)
	}
}

// TestFullDisk fills a disk of 8 MB below pebble: the operation that meets it ends with an error that says so, and so does everything after
// it; a Store on a disk with room then has the last checkpoint, and so has the same one once there is room again.
func TestFullDisk(t *testing.T) {
	disk := testdisk.Small(t, "8m")
	if disk == "" {
		return
	}
	s, v := large(t, Config{Name: "c[1]", Dir: filepath.Join(disk, "state"), Memory: 300_000})
	vault := newVault()
	for i := range 1000 {
		v.Set(benchKey(i), text(i))
	}
	part, _, _ := save(t, s, 1, vault)
	var err error
	fill := func() (err error) {
		defer Rescue(&err)
		var x [100]byte
		for i := 0; i < 300_000 && err == nil; i++ {
			for j := range x {
				x[j] = byte(i * (j + 3) >> (j % 7))
			}
			v.Set(benchKey(i), string(x[:]))
			err = s.Trim()
		}
		return err
	}
	if err = fill(); err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), "c[1]") {
		t.Fatalf("a full disk: %v", err)
	}
	if _, err := s.Freeze(2); err == nil || s.Err() == nil {
		t.Error("a broken store is frozen")
	}
	if err := s.Restore(recovery(part, vault)); err != nil || s.Err() != nil {
		t.Fatalf("restore after a full disk: %v, %v", err, s.Err())
	}
	for i := range 5000 { // again on the disk
		v.Set(benchKey(i), text(i))
		if err := s.Trim(); err != nil {
			t.Fatal(err)
		}
	}
	if x, ok := v.Get(benchKey(9)); !ok || x != text(9) || s.disk == nil {
		t.Errorf("it goes on with %q, on a disk: %v", x, s.disk != nil)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(disk, "state")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	again, w := large(t, Config{})
	if err := again.Restore(recovery(part, vault)); err != nil {
		t.Fatal(err)
	}
	if x, ok := w.Get(benchKey(9)); !ok || x != text(9) {
		t.Errorf("restored %q", x)
	}
}

// TestDiskThatCannotBeOpened has each write in turn fail while pebble begins: that is an error, and comes back. Pebble itself would end the
// goroutine for some of them.
func TestDiskThatCannotBeOpened(t *testing.T) {
	for n, opened := int32(0), false; !opened; n++ {
		dir := t.TempDir()
		var writes atomic.Int32
		fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && writes.Add(1) > n {
				return syscall.ENOSPC
			}
			return nil
		}))
		ended := make(chan struct{})
		var d *disk
		err := errors.New("the goroutine has ended")
		go func() {
			defer close(ended)
			d, err = openDiskIn(fs, dir)
		}()
		<-ended
		if opened = err == nil; opened {
			if writes.Load() == 0 {
				t.Error("nothing was written")
			}
			d.fail(errFull)
			d.release()
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
			t.Errorf("write %d fails: %v", n+1, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("write %d fails: %v is left, %v", n+1, left, err)
		}
	}
}

// FuzzRestore gives bytes as a segment.
func FuzzRestore(f *testing.F) {
	s, v := large(f, Config{})
	l := NewList(s, "list", Strings[string](), Struct[everything]())
	v.Set("a", "x")
	l.Append("a", everything{S: "x", M: map[string]int{"a": 1}})
	part, _, _ := save(f, s, 1, newVault())
	f.Add(part.Inline)
	f.Add(part.Inline[:len(part.Inline)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _ := large(t, Config{})
		NewList(s, "list", Strings[string](), Struct[everything]())
		s.Restore(recovery(gearcore.Part{Inline: b}, newVault()))
	})
}

// FuzzRecords gives bytes as the records of a block whose checksums are right.
func FuzzRecords(f *testing.F) {
	s, v := large(f, Config{})
	v.Set("a", "x")
	v.Set("b", "x")
	p := &piece{seq: 3}
	if err := v.t.collect(p); err != nil {
		f.Fatal(err)
	}
	f.Add(p.chunks[0])
	head := segmentHeader{Seq: 3, Last: gearcore.KeyGroups - 1, Tables: []tableInfo{s.tables[0].describe()}}
	f.Fuzz(func(t *testing.T, b []byte) {
		var buf bytes.Buffer
		buf.Write(appendHeader(nil, head))
		block := append(make([]byte, blockHead), b...)
		block[10], block[11] = 0xff, 0x0f // up to the last group
		buf.Write(sealed(block, 1))
		buf.Write(sealed(make([]byte, blockHead), 1))
		s, v := large(t, Config{})
		if err := s.Restore(recovery(gearcore.Part{Inline: buf.Bytes()}, newVault())); err != nil {
			return
		}
		v.Each(func(k, x string) bool { _ = k + x; return true })
		if _, err := s.Freeze(1); err != nil && !strings.Contains(err.Error(), "key group") {
			t.Fatal(err)
		}
	})
}

// FuzzSchema reads bytes as a struct that was written with some schema.
func FuzzSchema(f *testing.F) {
	c := Struct[everything]()
	b, err := c.Append(nil, &everything{S: "x", L: []int{1}, M: map[string]int{"a": 1}, P: new(int)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Schema(), b)
	f.Add("{S:s;Gone:{A:[i];};}", []byte{1, 'x', 2, 4, 6})
	f.Add("[[[[[[]]]]]]", []byte{})
	f.Fuzz(func(t *testing.T, schema string, b []byte) {
		read, err := c.Reader(schema)
		if err != nil {
			return
		}
		r := codec.NewReader(b, ErrCorrupt)
		var v everything
		if read(&r, &v); r.Err != nil {
			return
		}
		if _, err := c.Append(nil, &v); err != nil && !strings.Contains(err.Error(), "deeper") {
			t.Fatal(err)
		}
	})
}

func TestNumbersThatDoNotFit(t *testing.T) {
	wide := Ints[int64]()
	read, err := Ints[int8]().Reader("i")
	if err != nil {
		t.Fatal(err)
	}
	for n, fits := range map[int64]bool{127: true, -128: true, 128: false, math.MinInt64: false} {
		b, _ := wide.Append(nil, &n)
		r := codec.NewReader(b, ErrCorrupt)
		var x int8
		if read(&r, &x); (r.Err == nil) != fits || fits && int64(x) != n {
			t.Errorf("%d is read as %d, %v", n, x, r.Err)
		}
	}
	if _, err := Ints[int]().Reader("s"); err == nil {
		t.Error("a text is read as a number")
	}
}

// TestWhatKilledProcessesLeaveIsRemoved: a directory that nobody has locked is of nobody any more.
func TestWhatKilledProcessesLeaveIsRemoved(t *testing.T) {
	parent := t.TempDir()
	kept, lock, err := newScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	left, gone, err := newScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close() // as the end of its process does
	if _, third, err := newScratch(parent); err != nil {
		t.Fatal(err)
	} else {
		defer third.Close()
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("the directory of a living Store: %v", err)
	}
}
