package supervisor

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseUsage(t *testing.T) {
	const tail = " 1 2 3 4 5 6 7 8 9 10 40 2 0 0"
	for _, tt := range []struct {
		stat string
		want usage
		ok   bool
	}{
		{"12 (worker) S" + tail, usage{"S", 42}, true},
		{"12 (a) R (b) c) D" + tail, usage{"D", 42}, true},
		{"12 (worker) S 1 2", usage{}, false},
		{"12 worker S" + tail, usage{}, false},
		{"", usage{}, false},
	} {
		if got, ok := parseUsage(tt.stat); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %v %v", tt.stat, got, ok)
		}
	}
}

func TestParsePressure(t *testing.T) {
	for text, want := range map[string]float64{
		"some avg10=12.50 avg60=1.00 avg300=0.10 total=5\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1\n": 12.5,
		"": -1, "some avg10=x": -1,
	} {
		if got, ok := parsePressure(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v %v", text, got, ok)
		}
	}
}

func TestEvidenceOfAStoppedProcess(t *testing.T) {
	c := exec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid := c.Process.Pid
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopped", func() bool { u, ok := readUsage(pid); return ok && u.state == "T" })
	if got := evidence(t.Context(), pid, time.Millisecond); !strings.Contains(got, "alive, state T (stopped by a signal), processor time stands still") {
		t.Error(got)
	}
	c.Process.Kill()
	c.Wait()
	if got := evidence(t.Context(), pid, time.Millisecond); !strings.Contains(got, "cannot be seen") {
		t.Error(got)
	}
}
