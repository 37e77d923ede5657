package file

import (
	"slices"
	"syscall"
	"testing"
)

// noFiles has the system refuse to open any file until the function that it returns is called.
func noFiles(t *testing.T) (again func()) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	}
}

// A file has its name once its directory was forced to disk, which counts at a second try too.
func TestPublishAgain(t *testing.T) {
	dir := t.TempDir()
	s, e := openSink(t, dir)
	s.Execute(e.Tuple("a"), e.C)
	freeze(t, s)
	again := noFiles(t)
	first, second := s.waiting[0].publish(), s.waiting[0].publish()
	again()
	if first == nil || second == nil {
		t.Errorf("published without the directory: %v, %v", first, second)
	}
	if err := s.waiting[0].publish(); err != nil {
		t.Error(err)
	}
	if got := records(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("written %q", got)
	}
}
