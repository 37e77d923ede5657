package checkpoint

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

// TestCoordinatorTranscripts replays testdata/coordinator: each line with a time is an event, the indented lines are what the coordinator
// wants then and, if that is not what it was before, how it is.
func TestCoordinatorTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/coordinator/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, want)
			if *rewrite {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(want, got) {
				t.Errorf("%s differs from what happens now (run with -rewrite to keep that):\n%s", file, got)
			}
		})
	}
}

func replay(t *testing.T, script []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	c, err := NewCoordinator(Config{Interval: 10 * time.Second, Timeout: 60 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines := bufio.NewScanner(bytes.NewReader(script)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "    ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		at, text, _ := strings.Cut(line, " ")
		now, err := time.ParseDuration(at)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, a := range c.Step(now, parseEvent(t, text)) {
			fmt.Fprintf(&out, "    -> %s\n", describe(a))
		}
		if s := string(c.phase); s != last {
			fmt.Fprintf(&out, "    %s\n", s)
			last = s
		}
	}
	return out.Bytes()
}

// parseEvent reads the words of an event.
func parseEvent(t *testing.T, text string) Event {
	t.Helper()
	f := strings.Fields(text)
	bad := func() { t.Helper(); t.Fatalf("%q is no event", text) }
	word := func(i int) string {
		if i >= len(f) {
			bad()
		}
		return f[i]
	}
	num := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			bad()
		}
		return n
	}
	switch word(0) {
	case "tick":
		return Tick{}
	case "plan": // plan 1 in=1,2 count=3, or plan 1/2 of version 2 of the graph; at=w1,w2 are its workers
		version, graph, _ := strings.Cut(word(1), "/")
		p := Plan{Version: int64(num(version))}
		if graph != "" {
			p.Graph = int64(num(graph))
		}
		for _, c := range f[2:] {
			name, ids, _ := strings.Cut(c, "=")
			if name == "at" {
				p.Workers = strings.Split(ids, ",")
				continue
			}
			for i, id := range strings.Split(ids, ",") {
				p.Tasks = append(p.Tasks, Task{ID: gearcore.TaskID(num(id)), Component: name, Index: i, Source: name == "in"})
			}
		}
		return p
	case "began": // began generation base first limit
		return Began{Generation: num(word(1)), Base: num(word(2)), First: num(word(3)), Limit: num(word(4))}
	case "fell": // fell back on: began, and that epoch n was damaged
		return Began{Generation: num(word(1)), Base: num(word(2)), First: num(word(3)), Limit: num(word(4)),
			FellBack: []FellBack{{Epoch: num(word(5)), Why: "it is not what was written"}}}
	case "committed":
		return Committed{num(word(1)), num(word(2))}
	case "reserved":
		return Reserved{num(word(1))}
	case "kept":
		return Kept{word(1), num(word(2))}
	case "cleaned":
		return Cleaned{Files: int(num(word(1)))}
	case "ask":
		return Ask{word(1)}
	case "failed":
		return Failed{parseAction(t, word(1)), errors.New(strings.Join(f[2:], " "))}
	case "full":
		return Failed{parseAction(t, word(1)), unwritten{ErrFull}}
	case "fenced":
		return Failed{parseAction(t, word(1)), ErrFenced}
	}
	return parseReport(t, f)
}

func parseAction(t *testing.T, word string) Action {
	a, ok := map[string]Action{"begin": Start{}, "commit": Commit{}, "reserve": Reserve{}, "keep": Keep{Name: "x", Epoch: 1}, "clean": Clean{}}[word]
	if !ok {
		t.Fatalf("%q is no action", word)
	}
	return a
}

// parseReport reads: worker life=1 gen=2 version=1 staged=2 birth=4 tasks=1,3 restored epoch=4 saved=1,3 wait=3/1/20s failed=why broken=why unreadable=3
func parseReport(t *testing.T, f []string) Report {
	t.Helper()
	r := Report{Worker: f[0], Life: 1}
	ids := func(s string) (out []gearcore.TaskID) {
		for id := range strings.SplitSeq(s, ",") {
			n, err := strconv.Atoi(id)
			if err != nil {
				t.Fatal(f, err)
			}
			out = append(out, gearcore.TaskID(n))
		}
		return out
	}
	for _, w := range f[1:] {
		key, v, _ := strings.Cut(w, "=")
		n, _ := strconv.ParseUint(v, 10, 64)
		switch key {
		case "life":
			r.Life = n
		case "gen":
			r.Generation = n
		case "tasks":
			r.Tasks = ids(v)
		case "shape":
			r.Shape = n
		case "version":
			r.Version = int64(n)
		case "staged":
			r.Staged = int64(n)
		case "birth":
			r.Birth = n
		case "restored":
			r.Restored = true
		case "epoch":
			r.Epoch = n
		case "saved":
			for _, id := range ids(v) {
				r.Saved = append(r.Saved, gearcore.TaskPart{Task: id, Watermark: gearcore.Watermark(1000 * id)})
			}
		case "wait":
			p := strings.Split(v, "/")
			since, err := time.ParseDuration(p[2])
			if err != nil {
				t.Fatal(f, err)
			}
			r.Waiting = append(r.Waiting, Wait{ids(p[0])[0], ids(p[1])[0], since})
		case "failed":
			r.Failed = v
		case "broken":
			r.Broken = v
		case "unreadable":
			r.Unreadable = n
		default:
			t.Fatalf("%q in %q", w, f)
		}
	}
	return r
}

func describe(a Action) string {
	switch a := a.(type) {
	case Start:
		s := fmt.Sprintf("begin plan=%d reason=%q", a.Plan, a.Reason)
		if a.Below > 0 {
			s += fmt.Sprintf(" below=%d", a.Below)
		}
		if a.Next > 0 {
			s += fmt.Sprintf(" next=%d", a.Next)
		}
		return s
	case Commit:
		s := fmt.Sprintf("write epoch=%d generation=%d plan=%d clock=%d", a.Manifest.Epoch, a.Manifest.Generation, a.Manifest.Plan, a.Manifest.Watermark)
		for _, c := range a.Manifest.Components {
			s += " " + c.Name
			for _, p := range c.Parts {
				s += fmt.Sprintf(" %d:%d", p.Index, p.Task)
			}
		}
		return s
	case Reserve:
		return "reserve"
	case Keep:
		return fmt.Sprintf("keep %s epoch=%d", a.Name, a.Epoch)
	case Clean:
		return fmt.Sprintf("clean done=%d", a.Done)
	case Send:
		o := a.Order
		s := fmt.Sprintf("order generation=%d restore=%d go=%v cut=%d dropped=%d committed=%d", o.Generation, o.Restore, o.Go, o.Cut, o.Dropped, o.Committed)
		if o.Version != 0 {
			s += fmt.Sprintf(" version=%d", o.Version)
		}
		if b := o.Birth; b.Version != 0 {
			s += fmt.Sprintf(" birth=%d@%d done=%v", b.Version, b.Epoch, b.Done)
		}
		return s
	case Stop:
		return "stop: " + a.Why
	case Notice:
		return "tell " + a.String()
	}
	return fmt.Sprintf("%T", a)
}
