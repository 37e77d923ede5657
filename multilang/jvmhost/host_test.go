package jvmhost

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostLeavesNothing ends hosts whose process ends when it should, and does not: either way it is gone afterwards, with
// the directory of its socket.
func TestHostLeavesNothing(t *testing.T) {
	for _, mode := range []string{"good", "stubborn"} {
		t.Run(mode, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			cfg := fake(t, mode)
			cfg.Grace = 50 * time.Millisecond
			h, err := NewHost(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- h.Run(ctx) }()
			eventually(t, "the process runs", func() bool { return h.PID() != 0 })
			pid := h.PID()
			if dirs, _ := filepath.Glob(os.TempDir() + "/gearstorm-jvm-*"); len(dirs) != 1 {
				t.Errorf("directories for the socket: %v, want one", dirs)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is still there: %v", pid, err)
			}
			if dirs, _ := filepath.Glob(os.TempDir() + "/gearstorm-jvm-*"); len(dirs) != 0 {
				t.Errorf("left behind: %v", dirs)
			}
		})
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "Args"},
		{Config{Args: []string{"x"}, Grace: -1}, "Grace"},
		{Config{Args: []string{"x"}, MaxWait: -1}, "MaxWait"},
		{Config{Args: []string{"x"}, StartTimeout: -1}, "StartTimeout"},
	} {
		if _, err := NewHost(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s named", c.cfg, err, c.want)
		}
	}
	h, err := NewHost(Config{Args: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.NewBolt(Spec{EmitBytes: -1}); err == nil || !strings.Contains(err.Error(), "EmitBytes") {
		t.Errorf("%v, want EmitBytes named", err)
	}
}

// TestEmitsWithoutCredit counts what came and was not granted.
func TestEmitsWithoutCredit(t *testing.T) {
	ch := &channel{t: &task{spec: Spec{EmitBytes: 1000}}}
	ch.cond.L = &ch.mu
	if err := ch.arrive(&reply{credit: maxFrame}); err != nil {
		t.Fatalf("within the credit: %v", err)
	}
	if err := ch.arrive(&reply{credit: 2000}); !isBad(err) {
		t.Errorf("beyond the credit: %v, want ErrFrame", err)
	}
}
