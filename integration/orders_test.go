package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What users ask of running workers, by Storm's calls and through every daemon: log levels, dumps, profiles, a restart.
func TestOrdersReachRunningWorkers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := submitNumbers(t, c, 1)
	nimbus, ctx := c.dial(t).Nimbus(), t.Context()
	running, err := nimbus.GetTopologyInfoByName(ctx, "numbers")
	if err != nil {
		t.Fatal(err)
	}
	id, at := running.ID, running.Executors[0]
	dumps := func(pattern string) func() bool {
		return func() bool {
			found, _ := filepath.Glob(filepath.Join(c.dir, "logs", "workers-artifacts", id, strconv.Itoa(int(at.Port)), pattern))
			return len(found) == 1
		}
	}
	log := filepath.Join(c.dir, "logs", "workers-artifacts", id, strconv.Itoa(int(at.Port)), "worker.log")
	logged := func(text string) bool {
		b, _ := os.ReadFile(log)
		return strings.Contains(string(b), text)
	}
	set := func(level string, secs int32) {
		t.Helper()
		err := nimbus.SetLogConfig(ctx, id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{
			"ROOT": {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: &level, ResetLogLevelTimeoutSecs: &secs}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	set("WARN", 0)
	ask := func(action stormrpc.ProfileAction, until time.Time) {
		t.Helper()
		r := &stormrpc.ProfileRequest{NodeInfo: &stormrpc.NodeInfo{Node: at.Host, Port: []int64{int64(at.Port)}}, Action: action}
		if ms := until.UnixMilli(); !until.IsZero() {
			r.TimeStamp = &ms
		}
		if err := nimbus.SetWorkerProfiler(ctx, id, r); err != nil {
			t.Fatal(err)
		}
	}
	settled := func(action stormrpc.ProfileAction) {
		t.Helper()
		waitFor(t, 20*time.Second, "the end of "+action.String(), func() bool {
			left, err := nimbus.GetComponentPendingProfileActions(ctx, id, at.ComponentID, action)
			return err == nil && len(left) == 0
		})
	}
	ask(stormrpc.ProfileAction_JSTACK_DUMP, time.Time{})
	settled(stormrpc.ProfileAction_JSTACK_DUMP)
	waitFor(t, 5*time.Second, "a dump of the stacks", dumps("jstack-*.txt"))
	if logged("profiling action") {
		t.Error("a line below the level was written")
	}
	set("INFO", 0)
	ask(stormrpc.ProfileAction_JMAP_DUMP, time.Time{})
	waitFor(t, 20*time.Second, "a heap profile", dumps("heap-*.bin"))
	waitFor(t, 5*time.Second, "the line of the heap profile", func() bool { return logged("action=JMAP_DUMP") })
	ask(stormrpc.ProfileAction_JPROFILE_STOP, time.Now().Add(3*time.Second))
	if left, err := nimbus.GetComponentPendingProfileActions(ctx, id, at.ComponentID, stormrpc.ProfileAction_JPROFILE_STOP); err != nil || len(left) != 1 {
		t.Errorf("a profile under way is pending as %v, %v", left, err)
	}
	settled(stormrpc.ProfileAction_JPROFILE_STOP)
	waitFor(t, 5*time.Second, "a profile of processor time", dumps("cpu-*.bin"))

	before := c.workers(t)
	ask(stormrpc.ProfileAction_JVM_RESTART, time.Time{})
	waitFor(t, 30*time.Second, "another worker", func() bool { now := c.workers(t); return len(now) == 1 && !same(before, now) })
	n.flow(t, 30*time.Second)
	settled(stormrpc.ProfileAction_JVM_RESTART)
	again := c.workers(t)
	time.Sleep(2 * time.Second) // a request that came again would show
	if now := c.workers(t); !same(again, now) {
		t.Errorf("the worker restarts again and again: %v, then %v", again, now)
	}
	n.finish(t, time.Minute)
}

// The commands of the real Storm client that ask something of running workers.
func TestStormClientOrders(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	s := newStorm(t, c)
	n := submitNumbers(t, c, 1)
	out := s.must(t, false, command+"SetLogLevel", "numbers", "-l", "ROOT=DEBUG:60", "-l", "com.example=WARN")
	if !strings.Contains(out, "is sent for topology numbers") {
		t.Errorf("set_log_level says\n%s", out)
	}
	s.must(t, false, command+"SetLogLevel", "numbers", "-r", "com.example")
	nimbus, ctx := c.dial(t).Nimbus(), t.Context()
	running, err := nimbus.GetTopologyInfoByName(ctx, "numbers")
	if err != nil {
		t.Fatal(err)
	}
	set, err := nimbus.GetLogConfig(ctx, running.ID)
	if err != nil || len(set.NamedLoggerLevel) != 1 || set.NamedLoggerLevel["ROOT"].GetTargetLogLevel() != "DEBUG" ||
		set.NamedLoggerLevel["ROOT"].GetResetLogLevelTimeoutSecs() != 60 {
		t.Errorf("levels %v, %v", set, err)
	}
	ok(stormClient, "set_log_level")
	if out, err := s.java(t, false, command+"SetLogLevel", "nosuch", "-l", "ROOT=DEBUG"); err == nil || !strings.Contains(out, "nosuch is not a running topology") {
		t.Errorf("set_log_level of an unknown topology says (%v)\n%s", err, out)
	}
	out = s.must(t, false, command+"UploadCredentials", "numbers", "token", "secret")
	if !strings.Contains(out, "Uploaded new creds to topology: numbers") {
		t.Errorf("upload-credentials says\n%s", out)
	}
	ok(stormClient, "upload-credentials")
	n.finish(t, time.Minute)
}
