package supervisor

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the slot machine does into the transcripts")

var testPolicy = policy{Start: 120 * time.Second, FirstWait: time.Second, MaxPause: 8 * time.Second, Good: time.Minute}

// TestSlotTranscripts replays testdata/slot: each line with a time is an event, the indented lines are the state after it
// and what is to be done.
func TestSlotTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/slot/*.txt")
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
	var s slot
	start := time.Unix(1700000000, 0)
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "    ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		at, text, _ := strings.Cut(line, " ")
		passed, err := time.ParseDuration(at)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		var actions []any
		s, actions = testPolicy.step(s, parseEvent(t, text), start.Add(passed))
		fmt.Fprintf(&out, "    %s\n", describe(s, start))
		for _, a := range actions {
			fmt.Fprintf(&out, "    -> %s\n", describeAction(a))
		}
	}
	return out.Bytes()
}

func parseEvent(t *testing.T, text string) any {
	t.Helper()
	f := append(strings.SplitN(text, " ", 3), "", "", "")
	switch f[0] {
	case "planned":
		return planned{Topology: f[1], Why: f[2]}
	case "unfit":
		return planned{Why: "node is unhealthy: " + f[1]}
	case "reachable":
		return reachable{}
	case "inspected":
		return inspected{f[1], f[2]}
	case "renew":
		return renew{f[1]}
	case "localized":
		n, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(text)
		}
		if d, err := time.ParseDuration(f[2]); err == nil {
			return localized{Attempt: n, Silence: d}
		}
		return localized{Attempt: n, Failure: f[2]}
	case "launched":
		return launched{Worker: f[1], Failure: f[2]}
	case "adopted":
		return adopted{Topology: f[1], Worker: f[2], Silence: 30 * time.Second, Restarts: 2, LastExit: "exit code 7"}
	case "reported":
		return reported{f[1]}
	case "exited":
		return exited{Worker: f[1], How: f[2], Clean: f[2] == "clean"}
	case "unkillable":
		return unkillable{f[1], f[2]}
	case "tick":
		return tick{}
	}
	t.Fatalf("unknown event %q", text)
	return nil
}

func describe(s slot, start time.Time) string {
	var b strings.Builder
	b.WriteString(s.Phase.String())
	for _, f := range []struct{ name, value string }{{"want", s.Want}, {"have", s.Have}, {"worker", s.Worker}} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%s", f.name, f.value)
		}
	}
	if s.Failures > 0 {
		fmt.Fprintf(&b, " failures=%d", s.Failures)
	}
	if s.Quiet > 0 {
		fmt.Fprintf(&b, " quiet=%v", s.Quiet)
	}
	if s.Suspected {
		b.WriteString(" suspect")
	}
	if s.LastExit != "" {
		fmt.Fprintf(&b, " last=%.24q", s.LastExit)
	}
	if !s.Deadline.IsZero() {
		fmt.Fprintf(&b, " until %v", s.Deadline.Sub(start))
	}
	return b.String()
}

func describeAction(a any) string {
	switch a := a.(type) {
	case localize:
		return fmt.Sprintf("localize %d %s", a.Attempt, a.Topology)
	case abandon:
		return "abandon"
	case release:
		return "release " + a.Topology
	case launch:
		return "launch " + a.Topology
	case inspect:
		return fmt.Sprintf("inspect %s, limit %v", a.Worker, a.Limit)
	case note:
		return "note: " + a.Text
	case end:
		return fmt.Sprintf("end %s: %s", a.Worker, a.Why)
	case complain:
		return fmt.Sprintf("complain %s: %s", a.Topology, a.Text)
	}
	return fmt.Sprintf("unknown %T", a)
}

// node is what a slot's actions act on, as a model: it holds them against what must never happen.
type node struct {
	t          *testing.T
	rnd        *rand.Rand
	held       map[string]bool // topologies with code
	localizing int             // attempt in progress, 0 for none
	alive      string          // the one worker
	of         string          // its topology
	ending     bool
	workers    int
	due        []any // events that will come
}

func (n *node) act(a any) {
	switch a := a.(type) {
	case localize:
		if n.localizing != 0 {
			n.t.Fatalf("localizes twice at once")
		}
		n.localizing, n.held[a.Topology] = a.Attempt, true
		failure := ""
		if n.rnd.IntN(4) == 0 {
			failure = "no blob"
		}
		n.due = append(n.due, localized{Attempt: a.Attempt, Silence: 30 * time.Second, Failure: failure})
	case abandon:
		n.localizing = 0
	case release:
		if !n.held[a.Topology] || n.alive != "" && n.of == a.Topology {
			n.t.Fatalf("releases %s: held %v, runs %s of %s", a.Topology, n.held, n.alive, n.of)
		}
		delete(n.held, a.Topology)
	case launch:
		if n.alive != "" || !n.held[a.Topology] || n.localizing != 0 {
			n.t.Fatalf("launches %s while %q runs, held %v, localizing %d", a.Topology, n.alive, n.held, n.localizing)
		}
		if n.rnd.IntN(6) == 0 {
			n.due = append(n.due, launched{Failure: "no memory"})
			return
		}
		n.workers++
		n.alive, n.of, n.ending = fmt.Sprintf("w%d", n.workers), a.Topology, false
		n.due = append(n.due, launched{Worker: n.alive})
	case end:
		if a.Worker != n.alive {
			n.t.Fatalf("ends %s while %q runs", a.Worker, n.alive)
		}
		n.ending = true
	}
}

// next gives an event that may happen now.
func (n *node) next() any {
	if len(n.due) > 0 && n.rnd.IntN(3) > 0 {
		e := n.due[0]
		n.due = n.due[1:]
		if l, ok := e.(localized); ok && l.Attempt == n.localizing {
			n.localizing = 0
		}
		return e
	}
	switch n.rnd.IntN(6) {
	case 0:
		return planned{Topology: []string{"", "a-1-1", "b-2-2"}[n.rnd.IntN(3)]}
	case 1, 2:
		if n.alive != "" && len(n.due) == 0 {
			if n.ending && n.rnd.IntN(8) == 0 {
				return unkillable{n.alive, "still there"}
			}
			if n.ending || n.rnd.IntN(4) == 0 {
				w := n.alive
				n.alive = ""
				return exited{Worker: w, How: "exit code 1"}
			}
			return reported{n.alive}
		}
	case 3:
		return reported{"w0"} // a stranger
	case 4:
		return []any{reachable{}, renew{n.alive}, inspected{n.alive, "alive"}, inspected{"w0", "gone"}}[n.rnd.IntN(4)]
	}
	return tick{}
}

// TestSlotNeverRunsTwoWorkers drives slots by random events and then lets them come to rest.
func TestSlotNeverRunsTwoWorkers(t *testing.T) {
	for seed := range uint64(300) {
		n := &node{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), held: map[string]bool{}}
		var s slot
		now := time.Unix(1700000000, 0)
		step := func(e any) {
			var actions []any
			s, actions = testPolicy.step(s, e, now)
			for _, a := range actions {
				n.act(a)
			}
			if (s.Worker != "" || s.Phase == waitingForWorker) && !n.held[s.Have] {
				t.Fatalf("seed %d: %+v without code", seed, s)
			}
		}
		for range 400 {
			now = now.Add(time.Duration(n.rnd.IntN(5000)) * time.Millisecond)
			step(n.next())
		}
		// From here on all goes well: workers report, die when told to, and the plan stays.
		step(planned{Topology: "a-1-1"})
		for range 60 {
			now = now.Add(10 * time.Second)
			switch {
			case len(n.due) > 0:
				e := n.due[0]
				n.due = n.due[1:]
				if l, ok := e.(localized); ok {
					if l.Attempt == n.localizing {
						n.localizing = 0
					}
					l.Failure = ""
					e = l
				}
				if l, ok := e.(launched); ok && l.Failure != "" {
					n.alive, n.of = "w-last", s.Have
					e = launched{Worker: n.alive}
				}
				step(e)
			case n.ending && n.alive != "":
				w := n.alive
				n.alive = ""
				step(exited{Worker: w, How: "ended"})
			case n.alive != "":
				step(reported{n.alive})
			default:
				step(tick{})
			}
		}
		if s.Phase != running || s.Have != "a-1-1" || s.Worker == "" || s.Worker != n.alive || len(n.held) != 1 {
			t.Fatalf("seed %d: does not come to rest: %+v, alive %q, held %v", seed, s, n.alive, n.held)
		}
	}
}

func TestPause(t *testing.T) {
	want := []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second}
	for n, d := range want {
		if got := testPolicy.pause(n); got != d {
			t.Errorf("failure %d: %v, want %v", n, got, d)
		}
	}
	if got := testPolicy.pause(1 << 40); got != testPolicy.MaxPause {
		t.Errorf("very many failures: %v", got)
	}
	for n, d := range []time.Duration{0, 0, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 40 * time.Second} {
		if got := testPolicy.good(n); got != d {
			t.Errorf("failure %d is made up for after %v, want %v", n, got, d)
		}
	}
}
