package localizer

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// member is one entry of a test archive. A name that ends in a slash is a directory.
type member struct {
	name string
	mode fs.FileMode // 0 means 0644 or a directory
	data string
	link string // tar only
	kind byte   // tar only
}

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if m.mode != 0 {
			h.SetMode(m.mode)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: int64(m.mode.Perm()), Size: int64(len(m.data)), Linkname: m.link, Typeflag: m.kind}
		if m.kind == 0 {
			h.Typeflag = tar.TypeReg
			if strings.HasSuffix(m.name, "/") {
				h.Typeflag = tar.TypeDir
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var smallLimits = Limits{JarBytes: 1 << 20, CodeBytes: 1 << 20, Entries: 20, UnpackedBytes: 4000, FileBytes: 1000, DirectoryBytes: 64 << 10}

// unpackAs unpacks data as a user's blob of that name into <dir>/in and gives what is below dir then.
func unpackAs(t testing.TB, name string, data []byte, l Limits) (map[string]string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "canary"), []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(t.TempDir(), "packed")
	if err := os.WriteFile(packed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = unpackNamed(f, name, newUnpacker(root, l))
	return treeOf(t, dir), err
}

// treeOf gives the files below dir with mode and content, directories as "d".
// unpackNamed unpacks by the suffix of a name.
func unpackNamed(f *os.File, name string, to *unpacker) error {
	form, err := formOf(name)
	if err != nil {
		return err
	}
	return unpackArchive(f, form, to)
}

func treeOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			tree[name] = fmt.Sprintf("d %o", info.Mode().Perm())
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(p)
			tree[name] = "link " + target
			return err
		}
		data, err := os.ReadFile(p)
		tree[name] = fmt.Sprintf("%v %s", info.Mode(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestUnpack(t *testing.T) {
	members := []member{
		{name: "a/"},
		{name: "a/run.sh", mode: 0o755, data: "#!"},
		{name: "a/b/deep.txt", data: "deep"},
		{name: "a/b/"},
		{name: "top..txt", mode: 0o666 | fs.ModeSetuid, data: "top"},
		{name: "empty/"},
	}
	want := map[string]string{
		"canary": "-rw------- alive", "in": "d 700",
		"in/a": "d 700", "in/a/run.sh": "-rwx------ #!", "in/a/b": "d 700", "in/a/b/deep.txt": "-rw------- deep",
		"in/top..txt": "-rw------- top", "in/empty": "d 700",
	}
	dotted := append([]member{{name: "./"}}, members...)
	dotted[2].name = "./a/run.sh"
	for name, data := range map[string][]byte{
		"x.zip": zipOf(t, members...), "x.jar": zipOf(t, members...), "x.tar": tarOf(t, dotted...),
		"x.tgz": gzipOf(t, tarOf(t, members...)), "x.tar.gz": gzipOf(t, tarOf(t, members...)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unpackAs(t, name, data, smallLimits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
		})
	}
}

// attacks are archives that must be refused with nothing outside of the target and at most the limits inside.
func attacks(t testing.TB) map[string][]byte {
	many := make([]member, 30)
	manyDirs := make([]member, 30)
	for i := range many {
		many[i] = member{name: fmt.Sprintf("f%d", i)}
		manyDirs[i] = member{name: fmt.Sprintf("d%d/", i)}
	}
	fill := make([]member, 5)
	for i := range fill {
		fill[i] = member{name: fmt.Sprintf("f%d", i), data: strings.Repeat("x", 999)}
	}
	long := strings.Repeat("n", 256)
	sets := map[string][]member{
		"climb":            {{name: "../canary", data: "dead"}},
		"climb inside":     {{name: "a/../../canary", data: "dead"}},
		"climb and return": {{name: "../in/x", data: "dead"}},
		"climb at the end": {{name: "a/..", data: "dead"}},
		"climb by a dir":   {{name: "../evil/"}},
		"absolute":         {{name: "/tmp/gearstorm-evil", data: "dead"}},
		"double slash":     {{name: "a//b", data: "x"}},
		"dot":              {{name: "a/./b", data: "x"}},
		"backslash":        {{name: `..\canary`, data: "dead"}},
		"twice":            {{name: "a", data: "1"}, {name: "a", data: "2"}},
		"file under file":  {{name: "a", data: "1"}, {name: "a/b", data: "2"}},
		"dir over file":    {{name: "a", data: "1"}, {name: "a/"}},
		"file over dir":    {{name: "a/"}, {name: "a", data: "1"}},
		"long element":     {{name: long, data: "x"}},
		"long name":        {{name: strings.Repeat("a/", 2100) + "x"}},
		"deep":             {{name: strings.Repeat("a/", 70) + "x"}},
		"many files":       many,
		"many dirs":        manyDirs,
		"large file":       {{name: "a", data: strings.Repeat("x", 1001)}},
		"large sum":        fill,
	}
	out := map[string][]byte{}
	for name, set := range sets {
		out[name+".zip"] = zipOf(t, set...)
		out[name+".tar"] = tarOf(t, set...)
		out[name+".tgz"] = gzipOf(t, tarOf(t, set...))
	}
	for name, m := range map[string]member{
		"symlink": {name: "a", mode: fs.ModeSymlink | 0o777, data: "/etc"}, "device": {name: "a", mode: fs.ModeDevice | 0o600},
		"pipe": {name: "a", mode: fs.ModeNamedPipe | 0o600}, "socket": {name: "a", mode: fs.ModeSocket | 0o600},
		"char device": {name: "a", mode: fs.ModeDevice | fs.ModeCharDevice | 0o600},
	} {
		out[name+".zip"] = zipOf(t, m, member{name: "a/x", data: "dead"})
	}
	for name, m := range map[string]member{
		"symlink": {kind: tar.TypeSymlink, link: ".."}, "hard link": {kind: tar.TypeLink, link: "../canary"},
		"device": {kind: tar.TypeBlock}, "char device": {kind: tar.TypeChar}, "pipe": {kind: tar.TypeFifo},
	} {
		m.name = "a"
		out[name+".tar"] = tarOf(t, m, member{name: "a/canary", data: "dead"})
	}
	out["nul.zip"] = bytes.ReplaceAll(zipOf(t, member{name: "a@b", data: "x"}), []byte("a@b"), []byte("a\x00b"))
	out["bomb.zip"] = zipOf(t, member{name: "bomb", data: strings.Repeat("\x00", 10<<20)})
	out["bomb.tgz"] = gzipOf(t, tarOf(t, member{name: "bomb", data: strings.Repeat("\x00", 10<<20)}))
	out["endless dirs.tgz"] = gzipOf(t, bytes.Repeat(tarOf(t, member{name: "a/"})[:512], 400))
	out["cut.zip"] = zipOf(t, many[:5]...)[:100]
	out["cut.tar"] = tarOf(t, fill[:2]...)[:700]
	out["cut.tgz"] = gzipOf(t, tarOf(t, fill[:2]...))[:60]
	out["wrong sum.zip"] = bytes.Replace(zipOf(t, member{name: "a", data: "x"}), []byte("\x83\x16\xdc\x8c"), []byte("\x83\x16\xdc\x8d"), -1)
	out["no archive.zip"] = []byte("hello")
	out["no archive.tgz"] = []byte("hello")
	out["unknown kind.rar"] = zipOf(t, member{name: "a"})
	out["long list.zip"] = zipOf(t, manyNames(2000)...)
	return out
}

func manyNames(n int) []member {
	m := make([]member, n)
	for i := range m {
		m[i] = member{name: fmt.Sprintf("x/%d", i)}
	}
	return m
}

func TestUnpackRefusesAttacks(t *testing.T) {
	for name, data := range attacks(t) {
		t.Run(name, func(t *testing.T) {
			got, err := unpackAs(t, name, data, smallLimits)
			if !errors.Is(err, ErrArchive) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, zip.ErrChecksum) {
				t.Errorf("got %v", err)
			}
			checkTree(t, got, smallLimits)
		})
	}
	if _, err := os.Lstat("/tmp/gearstorm-evil"); err == nil {
		t.Error("an absolute name was written")
	}
}

// checkTree fails if anything lies outside of "in", if there is something else than files and directories, or too much.
func checkTree(t testing.TB, tree map[string]string, l Limits) {
	t.Helper()
	total := 0
	for name, what := range tree {
		switch {
		case name == "canary" && what == "-rw------- alive", name == "in":
		case !strings.HasPrefix(name, "in/"), !strings.HasPrefix(what, "d") && !strings.HasPrefix(what, "-"):
			t.Errorf("found %s: %.40q", name, what)
		default:
			total += len(what)
		}
	}
	if len(tree) > l.Entries+2 || total > int(l.UnpackedBytes+l.FileBytes)+20*l.Entries {
		t.Errorf("%d entries with %d bytes", len(tree), total)
	}
}

func FuzzUnpack(f *testing.F) {
	for name, data := range attacks(f) {
		f.Add(filepath.Ext(name), data)
	}
	f.Add(".zip", zipOf(f, member{name: "a/b", data: "x"}))
	f.Add(".tar", tarOf(f, member{name: "a/b", data: "x"}))
	f.Fuzz(func(t *testing.T, suffix string, data []byte) {
		got, _ := unpackAs(t, "x"+suffix, data, smallLimits)
		checkTree(t, got, smallLimits)
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"binaries":{"linux-test":{"sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1}}}`))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`{"format":1,"binaries":{"../x":{}}}`))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		path := filepath.Join(t.TempDir(), "jar")
		jar := zipOf(t, member{name: ManifestName, data: string(manifest)}, member{name: "bin/linux-test", data: "x"})
		if err := os.WriteFile(path, jar, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		z, err := openZip(file, smallLimits)
		if err != nil {
			return // the manifest is too long for the list
		}
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		name, err := goBinary(z, "linux-test", root, smallLimits)
		switch got := treeOf(t, dir)["bin/linux-test"]; {
		case err == nil && (name != "bin/linux-test" || got != "-rwx------ x"):
			t.Errorf("binary %q is %q", name, got)
		case err != nil && !errors.Is(err, ErrArchive) && !errors.Is(err, ErrNoBinary):
			t.Errorf("got %v", err)
		}
	})
}
