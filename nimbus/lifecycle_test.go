package nimbus

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

// TestLifecycleTranscripts runs testdata/lifecycle.txt: a line "# name STATUS" begins a topology, each further line is
// an event with an optional wait, followed by " -> " and what comes of it.
func TestLifecycleTranscripts(t *testing.T) {
	const path = "testdata/lifecycle.txt"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var s state
	name := ""
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			f := strings.Fields(line)
			name, s = line, state{Status: cluster.Status(f[len(f)-1])}
			fmt.Fprintln(&out, line)
			continue
		}
		text, _, _ := strings.Cut(line, " -> ")
		if strings.TrimSpace(text) == "" {
			fmt.Fprintln(&out, line)
			continue
		}
		var got string
		s, got = runEvent(t, s, text)
		got = text + " -> " + got
		fmt.Fprintln(&out, got)
		if got != line && !*rewrite {
			t.Errorf("%s\n got %s\nwant %s", name, got, line)
		}
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func runEvent(t *testing.T, s state, text string) (state, string) {
	t.Helper()
	f := strings.Fields(text)
	ev := event{kind: eventKind(f[0])}
	for _, arg := range f[1:] {
		if w, ok := strings.CutPrefix(arg, "workers="); ok {
			ev.rebalance = &cluster.Rebalance{}
			fmt.Sscan(w, &ev.rebalance.Workers)
			continue
		}
		d, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		ev.wait = d
	}
	next, do, ok := step(s, ev)
	if !ok {
		return next, "no transition"
	}
	words := []string{string(next.Status)}
	if next.Previous != "" {
		words = append(words, "previous="+string(next.Previous))
	}
	if p := next.Pending; p != nil {
		words = append(words, "wait="+p.Wait.String())
		if p.Rebalance != nil {
			words = append(words, fmt.Sprintf("workers=%d", p.Rebalance.Workers))
		}
	}
	for _, a := range do {
		w := "[" + string(a.kind)
		if a.kind == actArm {
			w += " " + string(a.event) + " " + a.after.String()
		}
		words = append(words, w+"]")
	}
	return next, strings.Join(words, " ")
}

// TestEveryStatusMeetsEveryEvent checks the table against Storm's, cell by cell.
func TestEveryStatusMeetsEveryEvent(t *testing.T) {
	fits := map[cluster.Status]string{
		cluster.Active:      "KILL ACTIVATE INACTIVATE REBALANCE",
		cluster.Inactive:    "KILL ACTIVATE INACTIVATE REBALANCE",
		cluster.Rebalancing: "KILL DO_REBALANCE GAIN_LEADERSHIP",
		cluster.Killed:      "KILL REMOVE GAIN_LEADERSHIP",
	}
	for status, want := range fits {
		for _, k := range []eventKind{evKill, evActivate, evDeactivate, evRebalance, evRemove, evDoRebalance, evGainLeadership} {
			s := state{Status: status, Previous: cluster.Active, Pending: &cluster.Pending{Rebalance: &cluster.Rebalance{}}}
			next, do, ok := step(s, event{kind: k, rebalance: &cluster.Rebalance{}})
			if wanted := strings.Contains(" "+want+" ", " "+string(k)+" "); ok != wanted {
				t.Errorf("%s in %s: fits %v, want %v", k, status, ok, wanted)
			}
			if !ok && (next != s || do != nil) {
				t.Errorf("%s in %s does not fit but does something", k, status)
			}
		}
	}
	if _, _, ok := step(state{Status: "NONSENSE"}, event{kind: evKill}); ok {
		t.Error("an unknown status took an event")
	}
}

func TestNoTransitionText(t *testing.T) {
	err := &errNoTransition{event: evActivate, status: cluster.Killed, topology: "t-1-2"}
	if want := "No transition for event: ACTIVATE, status: KILLED storm-id: t-1-2"; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
}
