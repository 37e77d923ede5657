package javaser

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/classfile"
)

func openJar(t testing.TB) *Jar {
	t.Helper()
	data := sample(t, "classes.jar")
	j, err := OpenJar(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestOverrides(t *testing.T) {
	j := openJar(t)
	for _, tc := range []struct {
		name    string
		classes []string
		want    []string
	}{
		{"nothing to look at", nil, nil},
		{"only the declarations", []string{"sample.Samples$Split"}, nil},
		{"own fields", []string{"sample.Samples$Rich", "sample.Samples$Split"}, nil},
		{"spout", []string{"sample.Samples$Sentences"}, nil},
		{"lambdas, private and static methods", []string{"sample.Samples$Helpers", "sample.Samples$Split"}, nil},
		{"execute", []string{"sample.Samples$Counting", "sample.Samples$Split"}, []string{"sample.Samples$Counting.execute"}},
		{"another object is read back", []string{"sample.Samples$Resolving"}, []string{"sample.Samples$Resolving.readResolve"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := j.Overrides(tc.classes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, missing := range []string{"sample.None", "../../etc/passwd", "", "a/../b"} {
		if _, err := j.Overrides([]string{missing}); !errors.Is(err, ErrNoClass) {
			t.Errorf("%q gave %v", missing, err)
		}
	}
}

func TestClassBounds(t *testing.T) {
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	for name, data := range map[string][]byte{"Zeros.class": make([]byte, classfile.MaxBytes+1), "Text.class": []byte("hello"), "Other.class": classBytes(t)} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	j, err := OpenJar(bytes.NewReader(jar.Bytes()), int64(jar.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Zeros", "Text", "Other"} {
		if c, err := j.Class(name); !errors.Is(err, classfile.ErrBroken) {
			t.Errorf("%s gave %v, %v", name, c, err)
		}
	}
	if _, err := OpenJar(bytes.NewReader([]byte("no zip")), 6); err == nil {
		t.Error("something that is no zip was opened")
	}
}

func classBytes(t testing.TB) []byte {
	t.Helper()
	f, err := openJar(t).zip.Open("sample/Samples$Helpers.class")
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
