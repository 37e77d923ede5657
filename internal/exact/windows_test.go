package exact

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Events are late as they should be, and the check finds what is not in the output, what is there twice and what is wrong.
func TestWindows(t *testing.T) {
	w := Windows{Dir: t.TempDir(), Events: 5000}
	late, counts := 0, map[string]int{}
	for s := range windowSources {
		for n := range w.Events {
			e := event{s, n}
			if d := firstEvent.Sub(e.at()).Milliseconds() + int64(n)*eventEvery.Milliseconds(); d > 0 {
				late++
				if d >= eventLate.Milliseconds() {
					t.Errorf("event %d is %d ms late", n, d)
				}
			}
			counts[fmt.Sprintf("%s\t%d", e.key(), e.at().Truncate(windowSize).UnixMilli())]++
		}
	}
	if all := windowSources * w.Events; late < all/6 || late > all/4 {
		t.Errorf("%d of %d events are late", late, all)
	}
	var out strings.Builder
	for name, n := range counts {
		fmt.Fprintf(&out, "%s\t%d\n", name, n)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(w.Dir, "part-0-1"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.SplitAfter(out.String(), "\n")
	for _, c := range []struct {
		text  string
		wrong bool
		left  int
	}{
		{out.String(), false, 0},
		{strings.Join(lines[1:], ""), false, 1},
		{out.String() + lines[0], true, 0},
		{strings.Replace(out.String(), lines[0], strings.TrimSuffix(lines[0], "\n")+"7\n", 1), true, 0},
		{"rubbish\n", true, 0},
	} {
		write(c.text)
		wrong, left, err := w.Wrong()
		if err != nil || (wrong != "") != c.wrong || left != c.left {
			t.Errorf("%.40q...: %q, %d left, %v", c.text, wrong, left, err)
		}
	}
}
