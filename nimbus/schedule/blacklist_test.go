package schedule

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

// TestBlacklistTranscripts runs testdata/blacklist.txt: a line "# what" begins a blacklist of 3 losses in 300 s and 1800 s of
// avoidance, "whole" in it counts slots for their node. Each further line is a time in seconds and what happens, followed by
// " -> " and what is avoided then.
func TestBlacklistTranscripts(t *testing.T) {
	const path = "testdata/blacklist.txt"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var l *Blacklist
	name := ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		text, _, _ := strings.Cut(line, " -> ")
		switch {
		case strings.HasPrefix(line, "#"):
			name = line
			l = &Blacklist{Count: 3, Window: 300 * time.Second, Resume: 1800 * time.Second, Whole: strings.Contains(line, "whole")}
			fmt.Fprintln(&out, line)
		case text == "":
			fmt.Fprintln(&out, line)
		default:
			got := text + " -> " + blacklistEvent(t, l, strings.Fields(text))
			fmt.Fprintln(&out, got)
			if got != line && !*rewrite {
				t.Errorf("%s\n got %s\nwant %s", name, got, line)
			}
		}
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// blacklistEvent runs "TIME lost NODE:PORT placed=TIME" or "TIME expire".
func blacklistEvent(t *testing.T, l *Blacklist, f []string) string {
	t.Helper()
	at := func(text string) time.Time {
		secs := 0
		if _, err := fmt.Sscan(text, &secs); err != nil {
			t.Fatal(err)
		}
		return time.Unix(int64(secs), 0)
	}
	now := at(f[0])
	switch f[1] {
	case "lost":
		node, port, _ := strings.Cut(f[2], ":")
		slot := Slot{Node: node}
		fmt.Sscan(port, &slot.Port)
		l.Lost(slot, at(strings.TrimPrefix(f[3], "placed=")), now)
	case "expire":
		l.Expire(now)
	}
	var avoided []string
	for _, slot := range []Slot{{"a", 0}, {"a", 1}, {"a", 2}, {"b", 1}} {
		if l.Avoided(slot, now) {
			avoided = append(avoided, fmt.Sprintf("%s:%d", slot.Node, slot.Port))
		}
	}
	return strings.TrimSpace(strings.Join(avoided, " ") + fmt.Sprintf(" kept=%d", len(l.losses)+len(l.since)+len(l.until)))
}
