package main

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProcesses(t *testing.T) {
	p, ok := parseStat("42 (a) b ( c) S 7 8 9 0 -1 4194304 1 0 0 0 150 25 0 0 20 0 1 0 1 1 1")
	if want := (process{42, 7, 9, 1750 * time.Millisecond}); !ok || p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	for _, text := range []string{"", "1 (x", "x", "1 (x) S 1 2", "(x) S 7 8 9 0 -1 4194304 1 0 0 0 150 25 0"} {
		if p, ok := parseStat(text); ok {
			t.Errorf("%q is %+v", text, p)
		}
	}
	tree := []process{{pid: 5, parent: 4}, {pid: 1}, {pid: 3, parent: 2}, {pid: 4, parent: 3}, {pid: 9, parent: 1}, {pid: 2, parent: 1}}
	var got []int
	for _, p := range below(tree, 2) {
		got = append(got, p.pid)
	}
	if d := cmp.Diff([]int{3, 4, 5}, got); d != "" {
		t.Error(d)
	}
	if d := (spent{1: 5, 2: 7}).since(spent{1: 2, 3: 9}); d != 10 {
		t.Errorf("spent %d, want 10: a new process from its start, an ended one not", d)
	}
	self := false
	for _, p := range processes() {
		self = self || p.pid == os.Getpid() && p.parent == os.Getppid()
	}
	if !self || busy() == 0 {
		t.Error("this test is not among the processes of this machine, or the machine is never busy")
	}
	if mib, err := residentMiB(os.Getpid()); err != nil || mib < 1 || mib > 4096 {
		t.Errorf("this test has %v MiB resident, %v", mib, err)
	}
	if _, err := residentMiB(1 << 30); err == nil {
		t.Error("a process that does not exist has memory")
	}
}
