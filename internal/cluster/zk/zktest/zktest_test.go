package zktest_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

func TestServerComesAndGoes(t *testing.T) {
	s := zktest.New(t, zktest.Config{}).Servers[0]
	if got := s.Mode(); got != "standalone" {
		t.Fatalf("mode %q", got)
	}
	s.Kill()
	s.Kill()
	if got := s.Mode(); got != "" {
		t.Fatalf("mode %q of a server that was killed", got)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if got := s.Mode(); got != "standalone" {
		t.Fatalf("mode %q after a restart", got)
	}
}

// orphanDir names, in the environment of a child, the folder of a server that it shall start and leave behind.
const orphanDir = "ZKTEST_ORPHAN_DIR"

func TestServerEndsWithUs(t *testing.T) {
	if dir := os.Getenv(orphanDir); dir != "" {
		e, err := zktest.Start(t.Context(), zktest.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("serving", e.Servers[0].Addr())
		select {} // until killed
	}
	zktest.Need(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServerEndsWithUs$", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), orphanDir+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var ok bool
		if addr, ok = strings.CutPrefix(lines.Text(), "serving "); !ok {
			t.Errorf("the child says %q", lines.Text())
		}
		cmd.Process.Kill()
	}
	cmd.Wait()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("the server outlived the process that started it")
		}
	}
}
