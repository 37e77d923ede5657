package supervisor

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// TestMemoryPolicy replays testdata/memory.txt: each line "<seconds>s used=<MB> limit=<MB> free=<MB>" is a look at a worker,
// the line after it what is made of it. An empty line begins with another worker.
func TestMemoryPolicy(t *testing.T) {
	const file = "testdata/memory.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := memoryPolicyOf(conf.Conf{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var since time.Time
	start := time.Unix(1700000000, 0)
	for lines := bufio.NewScanner(bytes.NewReader(want)); lines.Scan(); {
		line := lines.Text()
		if bytes.HasPrefix([]byte(line), []byte("    ")) {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" {
			since = time.Time{}
		}
		if line == "" || line[0] == '#' {
			continue
		}
		var secs int
		var s memorySample
		if _, err := fmt.Sscanf(line, "%ds used=%g limit=%g free=%g", &secs, &s.Used, &s.Limit, &s.Free); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		var why string
		why, since = p.judge(since, s, start.Add(time.Duration(secs)*time.Second))
		switch {
		case why != "":
			fmt.Fprintf(&out, "    end: %s\n", why)
		case !since.IsZero():
			fmt.Fprintf(&out, "    over since %v\n", since.Sub(start))
		default:
			fmt.Fprintln(&out, "    fine")
		}
	}
	if *rewrite {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, out.Bytes()) {
		t.Errorf("%s differs from what happens now (run with -rewrite to keep that):\n%s", file, out.Bytes())
	}
}

func TestMemoryPolicyOfKeys(t *testing.T) {
	got, err := memoryPolicyOf(conf.Conf{
		"storm.supervisor.memory.limit.tolerance.margin.mb": 1.0, "storm.supervisor.hard.memory.limit.multiplier": 2.5,
		"storm.supervisor.hard.memory.limit.overage.mb": int64(3), "storm.supervisor.low.memory.threshold.mb": int64(4),
		"storm.supervisor.medium.memory.threshold.mb": int64(5), "storm.supervisor.medium.memory.grace.period.ms": int64(6),
	})
	if want := (memoryPolicy{1, 2.5, 3, 4, 5, 6 * time.Millisecond}); got != want || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := memoryPolicyOf(conf.Conf{"storm.supervisor.low.memory.threshold.mb": "few"}); err == nil {
		t.Error("a bad number passes")
	}
	if m := readMemory(); m.total <= 0 || m.free <= 0 || m.free > m.total {
		t.Errorf("this machine has %+v", m)
	}
}
