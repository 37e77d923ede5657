package classfile_test

import (
	"archive/zip"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/classfile"
	"github.com/gearstorm/gearstorm/compat/classfile/classfiletest"
)

// compiled reads a class that javac made.
func compiled(t testing.TB, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader("../javaser/testdata/classes.jar")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func assembled() classfiletest.Class {
	return classfiletest.Class{
		Name: "a.Start", Java: 21, Flags: classfile.AccAbstract, Super: "a.Base", Interfaces: []string{"a.I", "a.J"},
		Methods: []classfile.Method{classfiletest.Main, {Name: "run", Descriptor: "()V", Flags: classfile.AccPrivate}},
		Classes: []string{"[[La.Element;", "[[I", "a.Named"},
		Calls:   []classfile.Call{{Class: "java.lang.System", Name: "exit", Descriptor: "(I)V"}, {Class: "[La.Element;", Name: "clone", Descriptor: "()Ljava/lang/Object;"}},
		Texts:   []string{"split.py", ""},
	}
}

func TestParse(t *testing.T) {
	got, err := classfile.Parse(assembled().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := &classfile.Class{
		Major: 65, Flags: classfile.AccPublic | classfile.AccAbstract, Name: "a.Start", Super: "a.Base", Interfaces: []string{"a.I", "a.J"},
		Methods: []classfile.Method{classfiletest.Main, {Name: "run", Descriptor: "()V", Flags: classfile.AccPrivate}},
		Classes: []string{"a.Start", "a.Base", "a.I", "a.J", "a.Element", "a.Named", "java.lang.System"},
		Calls:   []classfile.Call{{Class: "java.lang.System", Name: "exit", Descriptor: "(I)V"}},
		Texts:   []string{"split.py", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Java() != 21 || got.Concrete() || !got.Main() {
		t.Errorf("Java %d, concrete %t, main %t", got.Java(), got.Concrete(), got.Main())
	}
}

func TestParseCompiled(t *testing.T) {
	c, err := classfile.Parse(compiled(t, "sample/Samples$Helpers.class"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "sample.Samples$Helpers" || c.Super != "sample.Samples$Split" || c.Java() != 17 || !c.Concrete() || c.Main() {
		t.Errorf("got %+v", c)
	}
	if len(c.Calls) == 0 || len(c.Classes) == 0 {
		t.Errorf("it calls %v and names %v", c.Calls, c.Classes)
	}
}

// Every shorter file is refused, but for those that lack only the attributes of the class, which are not read.
func TestTruncated(t *testing.T) {
	data := compiled(t, "sample/Samples$Helpers.class")
	failed := 0
	for n := range data {
		if _, err := classfile.Parse(data[:n]); errors.Is(err, classfile.ErrBroken) {
			failed++
		}
	}
	if failed < len(data)/2 {
		t.Errorf("only %d of %d truncated files were refused", failed, len(data))
	}
}

func TestBroken(t *testing.T) {
	const head = "\xca\xfe\xba\xbe\x00\x00\x00\x3d"
	for _, tc := range []struct{ name, data string }{
		{"empty", ""},
		{"no class file", "PK\x03\x04\x00\x00\x00\x00\x00\x00"},
		{"large", strings.Repeat("\x00", classfile.MaxBytes+1)},
		{"unknown constant", head + "\x00\x02\x63"},
		{"long at the end of the pool", head + "\x00\x02\x05\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"text longer than the file", head + "\x00\x02\x01\xff\xff"},
		{"text is no modified UTF-8", head + "\x00\x03\x01\x00\x01\xff\x07\x00\x01\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"class without a name", head + "\x00\x02\x07\x00\x05\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"name is no class", head + "\x00\x02\x01\x00\x01A\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"call without a name", head + "\x00\x04\x01\x00\x01A\x07\x00\x01\x0a\x00\x02\x00\x02\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"65535 interfaces", head + "\x00\x03\x01\x00\x01A\x07\x00\x01\x00\x01\x00\x02\x00\x00\xff\xff"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if c, err := classfile.Parse([]byte(tc.data)); !errors.Is(err, classfile.ErrBroken) {
				t.Errorf("got %v, %v", c, err)
			}
		})
	}
}

// A file that names one long text again and again costs that text once.
func TestRepeatedNamesCostNothing(t *testing.T) {
	c := classfiletest.Class{Name: strings.Repeat("a", 60_000)}
	for range 2_000 {
		c.Interfaces = append(c.Interfaces, c.Name)
		c.Methods = append(c.Methods, classfile.Method{Name: c.Name, Descriptor: "()V"})
	}
	data := c.Bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := classfile.Parse(data); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20 {
		t.Errorf("%d bytes for a file of %d", allocated, len(data))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(compiled(f, "sample/Samples$Helpers.class"))
	f.Add(compiled(f, "sample/Samples$Rich.class"))
	f.Add(assembled().Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := classfile.Parse(data)
		if err != nil {
			if !errors.Is(err, classfile.ErrBroken) || c != nil {
				t.Fatalf("got %v, %v", c, err)
			}
			return
		}
		for _, name := range c.Classes {
			if name == "" || name[0] == '[' {
				t.Fatalf("class %q among those it names", name)
			}
		}
		c.Main()
		c.Java()
	})
}
