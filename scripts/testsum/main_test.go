package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// A panic ends the process without an end for the test that it was in: what it printed may not be lost.
func TestOutputOfTestsWithoutAnEnd(t *testing.T) {
	printed := capture(t, func() {
		sum := newTally()
		for _, e := range []event{
			{Action: "run", Package: "p", Test: "TestGood"},
			{Action: "output", Package: "p", Test: "TestGood", Output: "good\n"},
			{Action: "pass", Package: "p", Test: "TestGood"},
			{Action: "output", Package: "p", Test: "TestBad", Output: "panic: oh\n"},
			{Action: "output", Package: "pp", Test: "TestOther", Output: "other\n"},
			{Action: "output", Package: "p", Output: "FAIL\tp\t1s\n"},
			{Action: "fail", Package: "p"},
		} {
			sum.add(e)
		}
		if sum.passed != 1 || sum.failed != 1 {
			t.Errorf("%d passed, %d failed, want 1 and 1", sum.passed, sum.failed)
		}
	})
	if !strings.Contains(printed, "FAIL p TestBad did not end\npanic: oh\n") || strings.Contains(printed, "good") || strings.Contains(printed, "other") {
		t.Errorf("printed %q", printed)
	}
}

func TestPackageThatTheRaceDetectorBroke(t *testing.T) {
	events := []event{
		{Action: "output", Package: "p", Test: "TestA", Output: "ThreadSanitizer: CHECK failed: x\n"},
		{Action: "fail", Package: "p"},
	}
	for _, rerun := range []bool{false, true} {
		capture(t, func() {
			sum := newTally()
			sum.rerun = rerun
			for _, e := range events {
				sum.add(e)
			}
			if again := len(sum.broken) == 1 && sum.broken[0] == "p"; again != rerun || (sum.failed == 0) != rerun {
				t.Errorf("rerun %v: %v broken, %d failed", rerun, sum.broken, sum.failed)
			}
		})
	}
}

// capture returns what f prints.
func capture(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	saved := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = saved }()
	f()
	w.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
