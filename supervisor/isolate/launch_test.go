//go:build linux

package isolate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// The test binary is the worker: launched as one it acts out what TEST_WORKER says.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(testWorker(os.Getenv("TEST_WORKER")))
	}
	if os.Getenv("TEST_PARENT") != "" {
		os.Exit(testParent(os.Getenv("TEST_PARENT")))
	}
	goleak.VerifyTestMain(m)
}

func testWorker(role string) int {
	spec, err := ReadSpec(SpecFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	var line *Lifeline
	if spec.Lifeline {
		if line, err = OpenLifeline(LifelineFD); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 98
		}
	}
	switch role {
	case "exit":
		fmt.Println("standard output of", spec.Worker)
		fmt.Fprintln(os.Stderr, "standard error of", spec.Worker)
		return 7
	case "lifeline":
		ready(spec)
		line.Wait()
		return 0
	case "term":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		ready(spec)
		<-c
		return 5
	case "family": // ignores SIGTERM, has a child in its group, one that left it, one that also hides its environment
		signal.Ignore(syscall.SIGTERM)
		for _, f := range []func(*exec.Cmd){
			func(*exec.Cmd) {},
			func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} },
			func(c *exec.Cmd) {
				c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				c.Env = []string{"A=b"}
			},
		} {
			c := exec.Command("sleep", "1000")
			f(c)
			if err := c.Start(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 97
			}
			fmt.Fprintln(os.Stdout, c.Process.Pid)
		}
		ready(spec)
		time.Sleep(time.Hour) // with nothing else to do select{} would count as a deadlock
	}
	return 96
}

func ready(spec WorkerSpec) {
	os.WriteFile(filepath.Join(spec.WorkerDir, "ready"), []byte("x"), 0o600)
}

// testParent launches a worker and then waits to be killed.
func testParent(dir string) int {
	l := launchIn(dir, os.Getenv("TEST_WORKER"))
	l.Spec.Lifeline = os.Getenv("TEST_LIFELINE") != ""
	p, err := l.Start()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.Identity().Pid, p.Identity().Start)
	time.Sleep(time.Hour) // with nothing else to do select{} would count as a deadlock
	return 0
}

func launchIn(dir, role string) Launch {
	s := testSpec()
	s.Lifeline = false
	s.Worker = filepath.Base(dir)
	s.WorkerDir = filepath.Join(dir, "workers", s.Worker)
	s.PidDir = filepath.Join(s.WorkerDir, "pids")
	s.LogPath = filepath.Join(dir, "logs", "worker.log")
	return Launch{Spec: s, Binary: os.Args[0], Env: []string{"TEST_WORKER=" + role, "TEST_PARENT="}, By: None{}}
}

func startRole(t *testing.T, role string, change ...func(*Launch)) (*Process, Launch) {
	t.Helper()
	l := launchIn(workDir(t), role)
	for _, f := range change {
		f(&l)
	}
	p, err := l.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		(&hunt{id: p.id, cage: noCage{}}).round()
		p.Release()
		if n := len(p.id.members()); n > 0 {
			until(t, "the worker is gone", func() bool { return len(p.id.members()) == 0 })
		}
	})
	return p, l
}

// workDir is a directory whose last element is unique on this machine, as a worker id has to be.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), fmt.Sprintf("w-%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}

func untilReady(t *testing.T, l Launch) {
	t.Helper()
	until(t, "worker is ready", func() bool {
		_, err := os.Stat(filepath.Join(l.Spec.WorkerDir, "ready"))
		return err == nil
	})
}

func ended(t *testing.T, p *Process) Exit {
	t.Helper()
	select {
	case <-p.Done():
		return p.Exit()
	case <-time.After(20 * time.Second):
		t.Fatal("process did not end in 20 s")
	}
	return Exit{}
}

func TestLaunchWritesLogsAndTellsTheExitCode(t *testing.T) {
	p, l := startRole(t, "exit")
	if got, want := ended(t, p), (Exit{Known: true, Code: 7}); got != want {
		t.Fatalf("exit %v, want %v", got, want)
	}
	for suffix, want := range map[string]string{".out": "standard output of ", ".err": "standard error of "} {
		got, err := os.ReadFile(l.Spec.LogPath + suffix)
		if err != nil || string(got) != want+l.Spec.Worker+"\n" {
			t.Errorf("%s: %q, %v", suffix, got, err)
		}
		st, err := os.Stat(l.Spec.LogPath + suffix)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", suffix, st.Mode(), err)
		}
	}
	if p.Identity().Alive() {
		t.Error("an ended process counts as alive")
	}
}

func TestLaunchFollowsNoLinkToALog(t *testing.T) {
	l := launchIn(workDir(t), "exit")
	canary := filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(canary, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(l.Spec.LogPath), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(canary, l.Spec.LogPath+".out"); err != nil {
		t.Fatal(err)
	}
	if p, err := l.Start(); err == nil {
		ended(t, p)
		t.Fatal("the link was followed")
	}
	if data, _ := os.ReadFile(canary); len(data) != 0 {
		t.Fatalf("canary holds %q", data)
	}
}

func TestStartOfAMissingBinary(t *testing.T) {
	l := launchIn(workDir(t), "exit")
	l.Binary = filepath.Join(t.TempDir(), "none")
	if _, err := l.Start(); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestKillLetsTheWorkerEndByItself(t *testing.T) {
	p, l := startRole(t, "term")
	untilReady(t, l)
	if err := p.Kill(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, want := p.Exit(), (Exit{Known: true, Code: 5}); got != want {
		t.Fatalf("exit %v, want %v", got, want)
	}
	if err := p.Kill(t.Context(), time.Minute); err != nil {
		t.Fatalf("kill of an ended process: %v", err)
	}
}

func TestKillTakesTheWholeFamilyAndNobodyElse(t *testing.T) {
	bystander := exec.Command("sleep", "1000")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		bystander.Process.Kill()
		bystander.Wait()
	}()
	p, l := startRole(t, "family")
	untilReady(t, l)
	// A worker may name anybody in its pid directory; that is no reason to kill.
	if err := os.WriteFile(filepath.Join(l.Spec.PidDir, strconv.Itoa(bystander.Process.Pid)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	family := childPids(t, l)
	if err := p.Kill(t.Context(), 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := p.Exit(); got.Signal != syscall.SIGKILL {
		t.Fatalf("exit %v", got)
	}
	for _, id := range family {
		if id.Alive() {
			t.Errorf("child %d lives on", id.Pid)
		}
	}
	if st, err := readStat(bystander.Process.Pid); err != nil || st.ended {
		t.Fatal("the bystander was killed")
	}
}

func TestDeathOfTheLeaderTakesTheFamily(t *testing.T) {
	p, l := startRole(t, "family")
	untilReady(t, l)
	family := childPids(t, l)
	if err := p.h.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	for _, id := range family {
		if id.Alive() {
			t.Errorf("child %d lives on", id.Pid)
		}
	}
}

func childPids(t *testing.T, l Launch) []Identity {
	t.Helper()
	data, err := os.ReadFile(l.Spec.LogPath + ".out")
	if err != nil {
		t.Fatal(err)
	}
	var ids []Identity
	for _, f := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		st, err := readStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, Identity{Pid: pid, Start: st.start, Boot: bootID()})
	}
	if len(ids) != 3 {
		t.Fatalf("%d children", len(ids))
	}
	return ids
}

func TestReleaseLetsTheWorkerLiveAndAdoptFindsIt(t *testing.T) {
	p, l := startRole(t, "term")
	untilReady(t, l)
	p.Release()
	if err := p.Kill(t.Context(), time.Minute); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("kill after release: %v", err)
	}
	q, err := Adopt(p.Identity(), None{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Release()
	select {
	case <-q.Done():
		t.Fatal("ended by being adopted")
	default:
	}
	if err := q.Kill(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := q.Exit(); got.Code != 5 {
		t.Fatalf("exit %v", got)
	}
	if _, err := Adopt(p.Identity(), None{}); !errors.Is(err, ErrGone) {
		t.Fatalf("adopt of the dead: %v", err)
	}
}

func TestAdoptRefusesARecycledNumber(t *testing.T) {
	p, l := startRole(t, "term")
	untilReady(t, l)
	for name, change := range map[string]func(*Identity){
		"start time": func(id *Identity) { id.Start-- },
		"boot":       func(id *Identity) { id.Boot = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			id := p.Identity()
			change(&id)
			if _, err := Adopt(id, None{}); !errors.Is(err, ErrGone) {
				t.Fatalf("got %v", err)
			}
			id.Worker = "another"
			if n := (&hunt{id: id, cage: noCage{}}).round(); n != 0 {
				t.Fatalf("%d processes killed by a stale identity", n)
			}
		})
	}
	if !p.Identity().Alive() {
		t.Fatal("the worker was killed")
	}
}

// parent starts another process that launches a worker, and gives that worker's identity.
func parent(t *testing.T, role string, lifeline bool) (*exec.Cmd, Identity, Launch) {
	t.Helper()
	dir := workDir(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_PARENT="+dir, "TEST_WORKER="+role)
	if lifeline {
		cmd.Env = append(cmd.Env, "TEST_LIFELINE=1")
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(io.LimitReader(out, 1000)).ReadString('\n')
	if err != nil {
		t.Fatal(line, err)
	}
	l := launchIn(dir, role)
	id := Identity{Worker: l.Spec.Worker, Boot: bootID()}
	if _, err := fmt.Sscan(line, &id.Pid, &id.Start); err != nil {
		t.Fatal(line, err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		(&hunt{id: id, cage: noCage{}}).round()
		until(t, "the worker is gone", func() bool { return len(id.members()) == 0 })
	})
	untilReady(t, l)
	return cmd, id, l
}

func TestWorkerOutlivesItsKilledSupervisor(t *testing.T) {
	sup, id, _ := parent(t, "term", false)
	sup.Process.Kill()
	sup.Wait()
	p, err := Adopt(id, None{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	if err := p.Kill(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := p.Exit(); got.Known {
		t.Fatalf("exit %v of a process that is not ours", got)
	}
	if id.Alive() {
		t.Fatal("alive after kill")
	}
}

func TestLifelineEndsTheWorkerWithItsSupervisor(t *testing.T) {
	sup, id, _ := parent(t, "lifeline", true)
	sup.Process.Kill()
	sup.Wait()
	until(t, "the worker ended", func() bool { return !id.Alive() })
}

func TestReleaseCutsTheLifeline(t *testing.T) {
	p, l := startRole(t, "lifeline", func(l *Launch) { l.Spec.Lifeline = true })
	untilReady(t, l)
	p.Release()
	until(t, "the worker ended", func() bool { return !p.Identity().Alive() })
	p.h.reap(p.id)
}

func TestSweepFindsAWorkerWithoutIdentity(t *testing.T) {
	_, id, _ := parent(t, "term", false)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := Sweep(ctx, id.Worker, None{})
	if n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if id.Alive() {
		t.Fatal("alive after sweep")
	}
	if n, err := Sweep(ctx, id.Worker, None{}); n != 0 || err != nil {
		t.Fatalf("second sweep: %d, %v", n, err)
	}
}

func TestStartHandsOverNothingButTheSpec(t *testing.T) {
	p, l := startRole(t, "term", func(l *Launch) { l.Spec.Lifeline = true })
	untilReady(t, l)
	fdDir := fmt.Sprintf("/proc/%d/fd", p.Identity().Pid)
	line, err := os.Readlink(filepath.Join(fdDir, strconv.Itoa(LifelineFD)))
	if err != nil || !strings.HasPrefix(line, "pipe:") {
		t.Fatalf("lifeline is %q, %v", line, err)
	}
	fds, err := os.ReadDir(fdDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds {
		to, _ := os.Readlink(filepath.Join(fdDir, e.Name()))
		if e.Name() != strconv.Itoa(LifelineFD) && to == line || strings.Contains(to, "memfd") {
			t.Errorf("descriptor %s is %s", e.Name(), to)
		}
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Identity().Pid))
	if err != nil || strings.Contains(string(cmdline), "\x01\x02") {
		t.Fatalf("command line %q, %v", cmdline, err)
	}
}

func TestParseStat(t *testing.T) {
	rest := " S 10 20 30 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 5"
	cases := []struct {
		name, text string
		want       stat
		bad        bool
	}{
		{name: "plain", text: "7 (sh)" + rest, want: stat{parent: 10, pgrp: 20, session: 30, start: 12345}},
		{name: "hostile name", text: "7 (a) Z 1 2 3)" + rest, want: stat{parent: 10, pgrp: 20, session: 30, start: 12345}},
		{name: "zombie", text: strings.Replace("7 (sh)"+rest, " S ", " Z ", 1), want: stat{ended: true, parent: 10, pgrp: 20, session: 30, start: 12345}},
		{name: "no name", text: "7 sh S 1", bad: true},
		{name: "short", text: "7 (sh) S 1 2 3", bad: true},
		{name: "no number", text: strings.Replace("7 (sh)"+rest, "20", "x", 1), bad: true},
		{name: "empty", bad: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStat([]byte(c.text))
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(stat{})); !c.bad && diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (sh) S 10 20 30 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 5"))
	f.Add([]byte("7 (a)) Z"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseStat(data); err != nil && (s != stat{}) {
			t.Fatal("an error and a value")
		}
	})
}
