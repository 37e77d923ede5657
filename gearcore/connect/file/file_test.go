package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// begin opens a source of one task and restores it from parts.
func begin(t *testing.T, o SourceOptions, parts ...gearcore.TaskPart) (*Source, *connecttest.Executor) {
	t.Helper()
	s, err := NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	e := connecttest.NewExecutor(0, 1)
	if err := s.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(&gearcore.Recovery{Parts: parts, Tasks: 1, Vault: connecttest.NewVault()}); err != nil {
		t.Fatal(err)
	}
	return s, e
}

// drain calls Next until there is nothing, and returns what was emitted and the error that ended it.
func drain(s *Source, e *connecttest.Executor) (out []string, err error) {
	for range 1000 {
		if err = s.Next(e.C); err != nil {
			break
		}
	}
	for _, vals := range e.Emitted {
		out = append(out, vals[0].Text())
	}
	e.Emitted = nil
	if errors.Is(err, gearcore.ErrIdle) {
		err = nil
	}
	return out, err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestSourceReads(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		name string
		text string
		opts SourceOptions
		want []string
		err  error
	}{
		{name: "nothing", text: ""},
		{name: "lines", text: "a\nb\r\n\nc\n", want: []string{"a", "b", "", "c"}},
		{name: "a last line without an end", text: "a\nb", want: []string{"a", "b"}},
		{name: "more than a buffer", text: long + "\nb\n", want: []string{long, "b"}},
		{name: "as long as may be", text: "1234\n1234\r\n", opts: SourceOptions{MaxRecord: 4}, want: []string{"1234", "1234"}},
		{name: "too long", text: "a\n12345\nb\n", opts: SourceOptions{MaxRecord: 4}, want: []string{"a"}, err: ErrTooLong},
		{name: "too long without an end", text: "12345", opts: SourceOptions{MaxRecord: 4}, err: ErrTooLong},
		{name: "skipped", text: "a\n12345\nb\n", opts: SourceOptions{MaxRecord: 4, TooLong: Skip}, want: []string{"a", "b"}},
		{name: "skipped over many buffers", text: long + "\nb\n" + long, opts: SourceOptions{MaxRecord: 4, TooLong: Skip}, want: []string{"b"}},
		{name: "skipped at the end", text: "b\n12345", opts: SourceOptions{MaxRecord: 4, TooLong: Skip}, want: []string{"b"}},
		{name: "frames", text: "\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x02b\n", opts: SourceOptions{Framing: Frames}, want: []string{"a", "", "b\n"}},
		{name: "a frame that is cut", text: "\x00\x00\x00\x01a\x00\x00\x00\x05b", opts: SourceOptions{Framing: Frames}, want: []string{"a"}, err: ErrCut},
		{name: "a frame that cannot be", text: "\xff\x00\x00\x01a", opts: SourceOptions{Framing: Frames}, err: ErrTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in")
			write(t, path, c.text)
			c.opts.Paths = []string{path}
			s, e := begin(t, c.opts)
			got, err := drain(s, e)
			if !slices.Equal(got, c.want) {
				t.Errorf("%d records, want %d: %.60q", len(got), len(c.want), got)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if c.err == nil && s.Watermark() != gearcore.End {
				t.Errorf("watermark %d at the end", s.Watermark())
			}
		})
	}
}

// A checkpoint taken within a line that is too long does not take its rest for a line.
func TestSourceRestoresWithinALongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	o := SourceOptions{Paths: []string{path}, Follow: true, Poll: time.Millisecond, MaxRecord: 4, TooLong: Skip}
	write(t, path, "a\n123456")
	s, e := begin(t, o)
	if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{"a"}) {
		t.Fatal(got, err)
	}
	part := freeze(t, s)
	write(t, path, "78\nb\n")
	s, e = begin(t, o, part)
	if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{"b"}) {
		t.Fatal(got, err)
	}
	if s.Skipped() != 1 {
		t.Errorf("%d skipped", s.Skipped())
	}
}

func freeze(t *testing.T, c gearcore.Checkpointed) gearcore.TaskPart {
	t.Helper()
	f, err := c.Freeze(1)
	if err != nil {
		t.Fatal(err)
	}
	part, err := f.Save(t.Context(), connecttest.NewVault())
	if err != nil {
		t.Fatal(err)
	}
	return gearcore.TaskPart{Part: part}
}

func TestSourceTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	for _, c := range []struct {
		policy Policy
		want   []string
		err    error
	}{{Fail, nil, ErrTruncated}, {Restart, []string{"c"}, nil}} {
		o := SourceOptions{Paths: []string{path}, Follow: true, Poll: time.Millisecond, Truncated: c.policy}
		os.WriteFile(path, []byte("a\nb\n"), 0o600)
		s, e := begin(t, o)
		if got, err := drain(s, e); err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		part := freeze(t, s)
		os.WriteFile(path, []byte("c\n"), 0o600)
		s, e = begin(t, o, part)
		if got, err := drain(s, e); !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.policy, got, err)
		}
	}
}

func TestSourceMissesAFile(t *testing.T) {
	dir := t.TempDir()
	s, e := begin(t, SourceOptions{Paths: []string{filepath.Join(dir, "in")}})
	if _, err := drain(s, e); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	path := filepath.Join(dir, "in")
	write(t, path, "a\nb\n")
	o := SourceOptions{Paths: []string{path}, Batch: 1}
	s, e = begin(t, o)
	if err := s.Next(e.C); err != nil {
		t.Fatal(err)
	}
	part := freeze(t, s)
	os.Remove(path)
	s, _ = NewSource(o)
	err := s.Restore(&gearcore.Recovery{Epoch: 1, Parts: []gearcore.TaskPart{part}, Tasks: 1})
	if !errors.Is(err, ErrMissing) {
		t.Errorf("error %v", err)
	}
}

// A file that was read to its end may go: a source that is restored then ends as before.
func TestSourceIsDoneWithAFileThatIsGone(t *testing.T) {
	dir := t.TempDir()
	gone, there := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, gone, "a1\n")
	write(t, there, "b1\nb2\n")
	o := SourceOptions{Paths: []string{gone, there}, Batch: 1}
	s, e := begin(t, o)
	for len(e.Emitted) < 2 {
		if err := s.Next(e.C); err != nil {
			t.Fatal(err)
		}
	}
	part := freeze(t, s)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	s, e = begin(t, o, part)
	if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{"b2"}) || s.Watermark() != gearcore.End {
		t.Errorf("%q, %v, watermark %v", got, err, s.Watermark())
	}
}

func TestSourceWatermark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	at := func(data []byte) (ms int64) { fmt.Sscan(string(data), &ms); return ms }
	s, e := begin(t, SourceOptions{Paths: []string{path}, Follow: true, Poll: time.Millisecond, Time: at, Lateness: 10 * time.Millisecond})
	if s.Watermark() != 0 {
		t.Errorf("watermark %d before the first record", s.Watermark())
	}
	write(t, path, "1000\n900\n")
	drain(s, e)
	if s.Watermark() != 990 {
		t.Errorf("watermark %d", s.Watermark())
	}
}

// A task that goes on with the files of two begins with the time of the one that was behind, also if that had none.
func TestWatermarkOfTwoTasks(t *testing.T) {
	at := func(data []byte) (ms int64) { fmt.Sscan(string(data), &ms); return ms }
	dir := t.TempDir()
	options := func(names ...string) SourceOptions {
		o := SourceOptions{Follow: true, Poll: time.Millisecond, Time: at}
		for _, name := range names {
			o.Paths = append(o.Paths, filepath.Join(dir, name))
		}
		return o
	}
	for name, text := range map[string]string{"ahead": "2000\n", "behind": "1000\n", "empty": ""} {
		write(t, filepath.Join(dir, name), text)
	}
	for _, c := range []struct {
		names [2]string
		want  gearcore.Watermark
	}{
		{[2]string{"ahead", "behind"}, 1000}, {[2]string{"behind", "ahead"}, 1000}, {[2]string{"ahead", "empty"}, 0}, {[2]string{"empty", "ahead"}, 0},
	} {
		var parts []gearcore.TaskPart
		for _, name := range c.names {
			s, e := begin(t, options(name))
			drain(s, e)
			parts = append(parts, freeze(t, s))
		}
		if s, _ := begin(t, options(c.names[:]...), parts...); s.Watermark() != c.want {
			t.Errorf("%v: the watermark is %d, want %d", c.names, s.Watermark(), c.want)
		}
	}
}

// Event time does not follow a record from the future, which would make all others late.
func TestRecordsFromTheFuture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, "1000\n9223372036854775807\n1700000000000000\n-5\nnone\n2000\n")
	at := func(data []byte) int64 { ms, _ := strconv.ParseInt(string(data), 10, 64); return ms }
	for _, ahead := range []time.Duration{0, time.Hour, -1} { // microseconds taken for milliseconds are too far without a bound, too
		s, e := begin(t, SourceOptions{Paths: []string{path}, Follow: true, Poll: time.Millisecond, Time: at, MaxAhead: ahead})
		out, err := drain(s, e)
		if err != nil || len(out) != 6 || s.Watermark() != 2000 || s.TooFar() != 2 {
			t.Errorf("%v: watermark %d, emitted %q, %d too far, %v", ahead, s.Watermark(), out, s.TooFar(), err)
		}
		if len(e.Errors) != 1 || !strings.Contains(e.Errors[0].Error(), "record at 5 of "+path) {
			t.Errorf("%v: errors %v", ahead, e.Errors)
		}
	}
}

// A task that has no files does not keep back the event time of the others.
func TestWatermarkWithoutFiles(t *testing.T) {
	o := SourceOptions{Paths: []string{filepath.Join(t.TempDir(), "*")}, Follow: true, Time: func([]byte) int64 { return 1 }}
	s, e := begin(t, o)
	if s.Watermark() != 0 {
		t.Errorf("watermark %d before it has looked", s.Watermark())
	}
	if _, err := drain(s, e); err != nil || s.Watermark() != gearcore.Idle {
		t.Errorf("watermark %d, %v", s.Watermark(), err)
	}
}

// Output that a first start finds is not taken for its own, nor written over.
func TestSinkFindsOutput(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "part-0-7"), "x\n")
	write(t, filepath.Join(dir, "other-0-7"), "x\n")
	write(t, filepath.Join(dir, "part-1-7"), "x\n") // another task's
	for _, c := range []struct {
		policy Policy
		want   error
	}{{Fail, ErrExisting}, {Remove, nil}} {
		policy := c.policy
		s, err := NewSink(SinkOptions{Dir: dir, Existing: policy})
		if err != nil {
			t.Fatal(err)
		}
		e := connecttest.NewExecutor(0, 2, "record")
		s.Open(e.Context, e.C)
		for epoch, want := range map[uint64]error{0: c.want, 7: nil} {
			if policy == Remove && epoch == 7 {
				continue
			}
			r := &gearcore.Recovery{Epoch: epoch, Tasks: 2}
			if err := s.(gearcore.Checkpointed).Restore(r); !errors.Is(err, want) {
				t.Errorf("%s, epoch %d: %v", policy, epoch, err)
			}
		}
		s.Close()
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) != 2 {
		t.Errorf("left are %q", names)
	}
}

func TestSinkLosesAFile(t *testing.T) {
	dir := t.TempDir()
	s, e := openSink(t, dir)
	s.Execute(e.Tuple("a"), e.C)
	part := freeze(t, s)
	os.Remove(s.waiting[0].path(s.waiting[0].Temp))
	if err := s.Restore(&gearcore.Recovery{Epoch: 1, Parts: []gearcore.TaskPart{part}, Tasks: 1}); !errors.Is(err, ErrLost) {
		t.Errorf("error %v", err)
	}
}

// That something could not be forced to disk is told once. A checkpoint does not ask, or a tuple would be acked that is not there.
func TestAppenderHearsOfAFailedSync(t *testing.T) {
	a, e := openAppender(t, SinkOptions{Dir: t.TempDir(), SyncTuples: 1})
	a.f.Close()
	freeze(t, a)
	if err := a.Execute(e.Tuple("a"), e.C); err == nil || len(e.Failed) != 1 || len(e.Acked) != 0 {
		t.Errorf("error %v, %d failed, %d acked", err, len(e.Failed), len(e.Acked))
	}
}

// What could not be forced to disk is in no later checkpoint, though the system says nothing of it a second time.
func TestSinkKeepsAFailedSync(t *testing.T) {
	s, e := openSink(t, t.TempDir())
	s.Execute(e.Tuple("a"), e.C)
	f, err := s.Freeze(1)
	if err != nil {
		t.Fatal(err)
	}
	good := s.waiting[0].f
	defer good.Close()
	r, w, err := os.Pipe() // which cannot be forced to disk
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.waiting[0].f = w
	if _, err := f.Save(t.Context(), connecttest.NewVault()); err == nil {
		t.Fatal("saved")
	}
	w.Close()
	s.waiting[0].f = good
	if _, err := f.Save(t.Context(), connecttest.NewVault()); err == nil {
		t.Error("saved at the second try")
	}
	if _, err := s.Freeze(2); err == nil {
		t.Error("part of the next checkpoint")
	}
	if err := s.Execute(e.Tuple("b"), e.C); err == nil {
		t.Error("it goes on")
	}
	if err := s.Restore(&gearcore.Recovery{Tasks: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Execute(e.Tuple("a"), e.C); err != nil {
		t.Error(err)
	}
}

func openSink(t *testing.T, dir string) (*Sink, *connecttest.Executor) {
	t.Helper()
	task, err := NewSink(SinkOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	e := connecttest.NewExecutor(0, 1, "record")
	task.Open(e.Context, e.C)
	s := task.(*Sink)
	if err := s.Execute(e.Tuple("early"), e.C); !errors.Is(err, ErrNoCheckpoints) {
		t.Errorf("a record without a checkpoint: %v", err)
	}
	if err := s.Restore(&gearcore.Recovery{Tasks: 1}); err != nil {
		t.Fatal(err)
	}
	return s, e
}

// openAppender returns an open sink that counts at least once.
func openAppender(t *testing.T, o SinkOptions) (*Appender, *connecttest.Executor) {
	t.Helper()
	o.Mode = AtLeastOnce
	task, err := NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	e := connecttest.NewExecutor(0, 1, "record")
	if err := task.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	return task.(*Appender), e
}

func TestAppenderAcksWhatIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	a, e := openAppender(t, SinkOptions{Dir: dir, SyncTuples: 3, SyncEvery: time.Millisecond})
	for i := range 4 {
		if err := a.Execute(e.Tuple(fmt.Sprint(i), "x"), e.C); err != nil {
			t.Fatal(err)
		}
	}
	if got := records(t, dir); len(e.Acked) != 3 || !slices.Equal(got, []string{"0\tx", "1\tx", "2\tx"}) {
		t.Errorf("%d acked, %q on disk", len(e.Acked), got)
	}
	for end := time.Now().Add(2 * time.Minute); len(e.Acked) < 4; e.Run() {
		if time.Now().After(end) {
			t.Fatal("the last tuple is not acked")
		}
	}
	if got := records(t, dir); len(got) != 4 {
		t.Errorf("%q on disk", got)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []interface{ Validate() error }{
		SourceOptions{}, SourceOptions{Paths: []string{"[" /* no pattern */}}, SourceOptions{Paths: []string{"a"}, Framing: "xml"},
		SourceOptions{Paths: []string{"a"}, Framing: Frames, TooLong: Skip}, SourceOptions{Paths: []string{"a"}, MaxRecord: -1},
		SourceOptions{Paths: []string{"a"}, Truncated: Skip}, SourceOptions{Paths: []string{"a"}, Batch: -1},
		SourceOptions{Paths: []string{"a"}, ForgetAfter: -1},
		SinkOptions{}, SinkOptions{Dir: "a", Name: "../b"}, SinkOptions{Dir: "a", Name: ".b"}, SinkOptions{Dir: "a", Suffix: "/x"},
		SinkOptions{Dir: "a", Mode: "twice"}, SinkOptions{Dir: "a", Existing: Skip},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestNames(t *testing.T) {
	n := newNamer("part", ".log", 9)
	for _, name := range []string{n.temp(3), n.final(3, 9)} {
		index, at, temp, ok := n.parse(name)
		if !ok || index != 3 || temp != (name[0] == '.') || at != 9 {
			t.Errorf("%s: %d %d %v %v", name, index, at, temp, ok)
		}
	}
	deeper := newNamer("part-3", ".log", 9)
	for _, name := range []string{"", ".", "part", "part-", "part-3.log", "part-x-3.log", "part-3-9", "part-3-9.txt", deeper.temp(1), deeper.final(1, 1), ".part-3-9"} {
		if _, _, _, ok := n.parse(name); ok {
			t.Errorf("%q is taken for one of ours", name)
		}
	}
}
