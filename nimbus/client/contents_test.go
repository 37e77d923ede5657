package client

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func zipOf(t *testing.T, files ...string) *bytes.Reader {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(buf.Bytes())
}

func TestContents(t *testing.T) {
	of := func(files ...string) (map[string]string, string) {
		z := zipOf(t, files...)
		c, err := ContentsOf(z, z.Size())
		if err != nil {
			t.Fatal(err)
		}
		return c.Scripts, c.Rest
	}
	scripts, rest := of("a/X.class", "1", "resources/b.py", "22", "resources/sub/", "", "resources/sub/c.py", "")
	if want := map[string]string{"b.py": "3fd49a34-2", "sub/c.py": "00000000-0"}; len(scripts) != 2 || scripts["sub/c.py"] != want["sub/c.py"] || len(scripts["b.py"]) != 10 {
		t.Error(cmp.Diff(want, scripts))
	}
	again, same := of("resources/b.py", "23", "a/X.class", "1")
	if same != rest || again["b.py"] == scripts["b.py"] {
		t.Errorf("another script: %v, %s", again, same)
	}
	if _, other := of("a/X.class", "2"); other == rest {
		t.Error("another class was not noticed")
	}
	if _, other := of("a/Y.class", "1"); other == rest {
		t.Error("a class of another name was not noticed")
	}
	var executable bytes.Buffer
	w := zip.NewWriter(&executable)
	h := &zip.FileHeader{Name: "resources/b.py"}
	h.SetMode(0o755)
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = f.Write([]byte("22"))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if c, err := ContentsOf(bytes.NewReader(executable.Bytes()), int64(executable.Len())); err != nil || c.Scripts["b.py"] != scripts["b.py"]+"-x" {
		t.Errorf("a script that may be executed now: %v, %v, before %v", c, err, scripts)
	}
	if _, err := ContentsOf(bytes.NewReader([]byte("no zip")), 6); err == nil {
		t.Error("what is no zip file was listed")
	}
	many := make([]string, 0, 2*(maxContents+1))
	for i := range maxContents + 1 {
		many = append(many, fmt.Sprintf("resources/%d", i), "")
	}
	z := zipOf(t, many...)
	if c, err := ContentsOf(z, z.Size()); c != nil || err != nil {
		t.Errorf("too many files: %v, %v", c, err)
	}
}
