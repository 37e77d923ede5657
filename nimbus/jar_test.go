package nimbus

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// entry is a file of a jar to be made.
type entry struct {
	name string
	mode fs.FileMode
	size uint64 // declared; 0 declares what is there
}

func makeJar(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Store}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		h.UncompressedSize64 = e.size
		if _, err := z.CreateRaw(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var smallJar = jarLimits{entries: 5, unpackedBytes: 1000}

func TestCheckJar(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string // part of the error; empty when the jar is good
	}{
		"plain":              {makeJar(t, entry{name: "resources/a.py"}, entry{name: "META-INF/"}, entry{name: "..a/b..c"}), ""},
		"empty":              {makeJar(t), ""},
		"unix modes":         {makeJar(t, entry{name: "bin/run", mode: 0o755}, entry{name: "d/", mode: fs.ModeDir | 0o755}), ""},
		"no zip":             {[]byte("#!/bin/sh\n"), "not a zip file"},
		"nothing":            {nil, "not a zip file"},
		"parent":             {makeJar(t, entry{name: "../evil"}), `"../evil" leaves its directory`},
		"parent inside":      {makeJar(t, entry{name: "a/../../evil"}), "leaves its directory"},
		"parent on windows":  {makeJar(t, entry{name: `a\..\..\evil`}), "leaves its directory"},
		"absolute":           {makeJar(t, entry{name: "/etc/passwd"}), "absolute path"},
		"absolute backslash": {makeJar(t, entry{name: `\etc\passwd`}), "absolute path"},
		"drive":              {makeJar(t, entry{name: "C:/x"}), "names a drive"},
		"nul":                {makeJar(t, entry{name: "a\x00b"}), "with the name"},
		"symlink":            {makeJar(t, entry{name: "link", mode: fs.ModeSymlink | 0o777}), "neither a file nor a directory"},
		"device":             {makeJar(t, entry{name: "dev", mode: fs.ModeDevice | 0o600}), "neither a file nor a directory"},
		"pipe":               {makeJar(t, entry{name: "pipe", mode: fs.ModeNamedPipe | 0o600}), "neither a file nor a directory"},
		"too large unpacked": {makeJar(t, entry{name: "a", size: 600}, entry{name: "b", size: 401}), "more than 1000 bytes"},
		"size that overflows": {makeJar(t, entry{name: "a", size: 900}, entry{name: "b", size: 1<<64 - 900}),
			"more than 1000 bytes"},
		"too many":                     {makeJar(t, entry{name: "1"}, entry{name: "2"}, entry{name: "3"}, entry{name: "4"}, entry{name: "5"}, entry{name: "6"}), "6 entries"},
		"list of files beyond measure": {makeJar(t, manyEntries(3000)...), "list of files"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkJar(bytes.NewReader(c.data), int64(len(c.data)), smallJar)
			if c.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func manyEntries(n int) []entry {
	out := make([]entry, n)
	for i := range out {
		out[i].name = strings.Repeat("x", 50)
	}
	return out
}

func TestBadJarIsAnInvalidTopology(t *testing.T) {
	c := start(t, nil)
	got := answer(c.client.SubmitTopology(t.Context(), "words", c.upload(makeJar(t, entry{name: "../evil"})), "{}", words()))
	if want := `Invalid topology jar: entry "../evil" leaves its directory`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// FuzzCheckJar checks that every name in an accepted jar stays below the directory it is unpacked to.
func FuzzCheckJar(f *testing.F) {
	f.Add(makeJar(f, entry{name: "resources/a.py"}, entry{name: "d/", mode: fs.ModeDir}))
	f.Add(makeJar(f, entry{name: "../evil"}, entry{name: `..\evil`}, entry{name: "/x"}))
	f.Add(makeJar(f, entry{name: "link", mode: fs.ModeSymlink}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkJar(bytes.NewReader(data), int64(len(data)), smallJar) != nil {
			return
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if z == nil {
			t.Fatalf("accepted what cannot be read: %v", err)
		}
		if len(z.File) > smallJar.entries {
			t.Fatalf("accepted %d entries", len(z.File))
		}
		for _, e := range z.File {
			name := filepath.FromSlash(strings.ReplaceAll(e.Name, `\`, "/"))
			if !filepath.IsLocal(strings.TrimSuffix(name, "/")) || !(e.Mode().IsRegular() || e.Mode().IsDir()) {
				t.Fatalf("accepted %q with mode %s", e.Name, e.Mode())
			}
		}
	})
}
