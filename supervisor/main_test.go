package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/isolate/shim"
)

// The test binary is also the worker it launches and a supervisor that can be killed. Everything it starts inherits
// runMark, so that at the end nothing can be left unseen.
const (
	runMark        = "TEST_SUPERVISOR_RUN"
	roleVar        = "TEST_WORKER"
	supervisorConf = "TEST_SUPERVISOR"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(testWorker(os.Getenv(roleVar)))
	}
	if len(os.Args) > 1 && os.Args[1] == isolate.EntryCommand {
		os.Exit(shim.Main(os.Args[2:]))
	}
	if c := os.Getenv(supervisorConf); c != "" {
		os.Exit(testSupervisor(c))
	}
	os.Setenv(runMark, newID())
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Println(err)
		code = 1
	}
	if left := marked(); len(left) > 0 {
		fmt.Println("processes left behind:", left)
		code = 1
	}
	os.Exit(code)
}

// marked lists the processes of this run but for this one.
func marked() []string {
	var left []string
	mark := runMark + "=" + os.Getenv(runMark)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && e.Name() != strconv.Itoa(os.Getpid()) && e.Name() != "self" && e.Name() != "thread-self" && strings.Contains(string(env), mark) {
			left = append(left, e.Name())
		}
	}
	return left
}

// remote is the configuration of a supervisor in a process of its own.
type remote struct {
	LocalDir, LogDir, Nimbus string
	Ports                    []int
	Lifeline                 bool
	WorkerTimeout            time.Duration
	Conf                     conf.Conf // nil: limits of single processes only
}

// testSupervisor runs a supervisor until SIGTERM. It tells that it runs by a line.
func testSupervisor(text string) int {
	var r remote
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := New(quick(Config{LocalDir: r.LocalDir, LogDir: r.LogDir, Ports: r.Ports, Lifeline: r.Lifeline, WorkerTimeout: r.WorkerTimeout, Conf: r.Conf,
		Nimbus: client.Options{Seeds: []string{r.Nimbus}}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("runs", s.NodeID(), s.Ports())
	if err := s.Run(ctx); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// quick shortens the times of a configuration.
func quick(c Config) Config {
	os.Unsetenv(supervisorConf) // workers are none
	c.Binary, c.Shim = os.Args[0], isolate.Self()
	c.ReportInterval = 50 * time.Millisecond
	c.RetryWait, c.RetryCeiling = 50*time.Millisecond, 200*time.Millisecond
	c.Grace = 300 * time.Millisecond
	c.Nimbus.Retries, c.Nimbus.RetryInterval = -1, time.Millisecond
	if c.Conf == nil {
		c.Conf = conf.Conf{isolationKey: "rlimit"}
	}
	return c
}

// alive tells whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
