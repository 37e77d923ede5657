package integration

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Between tasks of a worker trees branch, loop, have two parents, fail and are thrown (it.Ledger), also across kill -9 of the
// process: everything is acked in the end, once for every life of its spout, and nothing before it was seen; order is kept.
func TestJavaLedger(t *testing.T) {
	t.Parallel()
	const n = 3000 // of each of two spouts
	for _, kill := range []bool{false, true} {
		t.Run("kill "+strconv.FormatBool(kill), func(t *testing.T) {
			s, dir := startJava(t)
			s.must(t, true, "it.Ledger", "ledger", dir, strconv.Itoa(n), "1")
			if kill {
				waitFor(t, time.Minute, "both spouts are open", func() bool { return len(lines(dir, "life")) >= 2 })
				time.Sleep(time.Second) // some are under way, whatever the moment is
				if err := syscall.Kill(javaProcess(t, s.c), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				waitFor(t, time.Minute, "both spouts are open again", func() bool { return len(lines(dir, "life")) >= 4 })
			}
			done := func() int {
				first := map[string]bool{}
				for _, l := range lines(dir, "done") {
					first[strings.Fields(l)[0]] = true
				}
				return len(first)
			}
			waitFor(t, 4*time.Minute, "an ack of everything", func() bool { return done() == 2 })
			for _, file := range []string{"early", "twice", "disorder"} {
				if l := lines(dir, file); len(l) > 0 {
					t.Errorf("%s: %d lines, such as %s", file, len(l), l[0])
				}
			}
			if l := lines(dir, "done"); !kill && strings.Contains(l[0], "failed 0") {
				t.Errorf("nothing failed: %v", l)
			}
			errs := s.must(t, false, command+"GetErrors", "ledger")
			if !kill && !strings.Contains(errs, "thrown at") {
				t.Errorf("get-errors says\n%s", errs)
			}
		})
	}
}

// A bolt that cannot keep up holds back a spout of its worker: what waits is bounded, without ackers too, and metrics count what
// never leaves the JVM.
func TestJavaSlowBolt(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Slow", "slow", dir)
	waitFor(t, 2*time.Minute, "some thousand tuples", func() bool { return len(lines(dir, "waiting")) >= 8 })
	for _, l := range lines(dir, "waiting") {
		if n, err := strconv.Atoi(l); err != nil || n > 1024+2*256+1 {
			t.Fatalf("%s tuples waited for the bolt, which takes 1024", l)
		}
	}
	if l := lines(dir, "disorder"); len(l) > 0 {
		t.Errorf("order was not kept: %s", l[0])
	}
	waitFor(t, time.Minute, "the count", func() bool {
		n := 0
		for _, c := range s.c.info(t, "slow").Components {
			if c.Name == "rest" && c.Executed >= 1000 {
				n++
			}
		}
		return n == 1
	})
}

// A tuple that came from another process and is passed on as a value is settled by whoever gets that: what it fails comes again.
func TestJavaCarried(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Carried", "carried", dir)
	waitFor(t, time.Minute, "all 200 for the second time", func() bool { return len(kinds(lines(dir, "last"))) == 200 })
	if l := lines(dir, "life"); len(l) != 1 {
		t.Errorf("the bolt was prepared %d times: %s", len(l), s.must(t, false, command+"GetErrors", "carried"))
	}
}

// A local-or-shuffle grouping follows a rebalance: spouts that stay where they are send to the tasks that their worker then has, to
// all of them and to no others, and see them in their context.
func TestJavaNear(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Near", "near", dir, "1")
	for _, workers := range []int{1, 2, 1} {
		if len(lines(dir, "arrived")) > 0 {
			s.must(t, false, command+"Rebalance", "near", "-w", "0", "-n", strconv.Itoa(workers))
		}
		want := fmt.Sprintf("here %d", 6/workers) // tasks of a worker
		var got map[string]int
		waitFor(t, time.Minute, fmt.Sprintf("tuples at four tasks of %d workers, from their own", workers), func() bool {
			from := len(lines(dir, "arrived"))
			waitFor(t, time.Minute, "more tuples", func() bool { return len(lines(dir, "arrived")) >= from+200 })
			got = kinds(lines(dir, "arrived")[from:])
			for what := range got {
				if !strings.HasSuffix(what, want) {
					return false
				}
			}
			return len(got) == 4
		})
		t.Logf("with %d workers: %v", workers, got)
	}
	ok(stormClient, "local-or-shuffle after a rebalance")
}

// Bolts of two workers that reset the timeouts of what they hold keep its trees for as long as they like, whichever way the tuples
// came.
func TestJavaResets(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Resets", "resets", dir, "20")
	waitFor(t, 90*time.Second, "four bolts acked what they held", func() bool { return len(lines(dir, "held")) >= 4 })
	for _, l := range lines(dir, "held") {
		if l != "15" { // three of the spout, and of each of four relays
			t.Errorf("a bolt held %s tuples", l)
		}
	}
	waitFor(t, 30*time.Second, "an ack of each tuple", func() bool { return len(kinds(lines(dir, "acked"))) == 3 })
	if l := lines(dir, "failed"); len(l) > 0 {
		t.Errorf("%d tuples failed", len(l))
	}
	ok(stormClient, "OutputCollector.resetTimeout")
}
