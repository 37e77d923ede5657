package blobstore

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const crashDir = "BLOBSTORE_CRASH_DIR"

// TestKill kills a process that writes blobs all the time and checks that every blob left is whole, that nothing
// acknowledged is lost and that nothing else stays on disk.
func TestKill(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	for _, after := range []int{1, 5, 12} {
		acknowledged := killAfter(t, dir, after)
		s := open(t, Config{Dir: dir})
		for _, key := range s.Keys("", 100) {
			data, err := s.ReadFile(key, 1<<20)
			must(t, err)
			n, err := strconv.Atoi(string(data[:bytes.IndexByte(data, ' ')]))
			must(t, err)
			if key == "updated" && n < acknowledged {
				t.Fatalf("version %d was acknowledged, %d is there", acknowledged, n)
			}
			must(t, s.Delete(key))
		}
		must(t, s.Close())
		if left := files(t, dir); len(left) != 0 {
			t.Fatalf("files that belong to no blob: %v", left)
		}
	}
}

func writeUntilKilled(t *testing.T, dir string) {
	s := open(t, Config{Dir: dir})
	content := func(n int) []byte { return append([]byte(strconv.Itoa(n)+" "), make([]byte, 100_000)...) }
	_, err := s.Create("updated", nil, content(0))
	must(t, err)
	for n := 1; n < 100_000; n++ {
		_, err := s.Update("updated", content(n))
		must(t, err)
		_, err = s.Create("extra", nil, content(n))
		must(t, err)
		fmt.Println("acknowledged", n)
		must(t, s.Delete("extra"))
	}
}

func killAfter(t *testing.T, dir string, after int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	last := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "acknowledged ")
		if !ok {
			t.Errorf("child says %q", lines.Text())
			continue
		}
		if last, err = strconv.Atoi(text); err != nil {
			t.Error(err)
		}
		if last == after {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || last < after {
		t.Fatalf("child ended with %v after %d", err, last)
	}
	return last
}

func TestOpenSweepsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	_, err := s.Create("k", nil, []byte("good"))
	must(t, err)
	must(t, s.Close())
	blob, err := filepath.Glob(filepath.Join(dir, "blobs", "*"))
	must(t, err)
	for _, path := range []string{
		filepath.Join(dir, "tmp", "half-written"),
		filepath.Join(dir, "inbox", "upload-of-the-last-process"),
		filepath.Join(blob[0], "d99999999999999"), // data of an update whose metadata was never written
	} {
		must(t, os.WriteFile(path, []byte("rest"), 0o600))
	}
	s = open(t, Config{Dir: dir})
	if got := files(t, dir); len(got) != 2 {
		t.Fatalf("files after opening: %v", got)
	}
	got, err := s.ReadFile("k", 10)
	must(t, err)
	if string(got) != "good" {
		t.Fatalf("read %q", got)
	}
}
