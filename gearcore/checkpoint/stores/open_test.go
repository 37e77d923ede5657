package stores

import (
	"strings"
	"testing"
)

func TestOpenDirectory(t *testing.T) {
	s, err := Open(t.Context(), "file://"+t.TempDir()+"/new")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, bad := range []string{"", "/tmp/x", "file:", "file:relative", "file://host/path", "file:///x?y=1", "ftp://host/x", "file://u:p@/x", "::", "file:///x\x00"} {
		if s, err := Open(t.Context(), bad); err == nil {
			s.Close()
			t.Errorf("%q opens", bad)
		}
	}
}
