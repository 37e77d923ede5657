package javaser

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecognize(t *testing.T) {
	python := []string{"python3", "splitsentence.py"}
	env := map[string]string{"PATH": "/opt/bin", "MODE": "fast"}
	split := Found{Kind: ShellBolt, Class: "sample.Samples$Split", Command: python, ChangeDir: true, Unchecked: []string{"sample.Samples$Split"}}
	with := func(change func(*Found)) Found { f := split; change(&f); return f }
	for _, tc := range []struct {
		file string
		want Found
	}{
		{"shellbolt", split},
		{"shellbolt-fields", with(func(f *Found) {
			f.Class, f.Unchecked = "sample.Samples$Rich", []string{"sample.Samples$Rich", "sample.Samples$Split"}
		})},
		{"shellbolt-env", with(func(f *Found) { f.Env = env })},
		{"shellbolt-env-tree", with(func(f *Found) { f.Env = env })},
		{"shellbolt-env-single", with(func(f *Found) { f.Env = map[string]string{"A": "1"} })},
		{"shellbolt-env-unmodifiable", with(func(f *Found) { f.Env = env })},
		{"shellbolt-env-mapof", with(func(f *Found) { f.Env = map[string]string{"A": "1", "B": "2"} })},
		{"shellbolt-env-null", split},
		{"shellbolt-nocwd", with(func(f *Found) { f.ChangeDir = false })},
		{"shellbolt-counting", with(func(f *Found) {
			f.Class, f.Unchecked = "sample.Samples$Counting", []string{"sample.Samples$Counting", "sample.Samples$Split"}
		})},
		{"shellspout", Found{Kind: ShellSpout, Class: "sample.Samples$Sentences", Command: []string{"node", "sentences.js", "--fast"},
			ChangeDir: true, Unchecked: []string{"sample.Samples$Sentences"}}},
		{"forwarder", with(func(f *Found) { f.Wrapper = "org.apache.storm.topology.CheckpointTupleForwarder" })},
		{"basic", Found{Class: "sample.Samples$Basic", Wrapper: "org.apache.storm.topology.BasicBoltExecutor"}},
		{"plain", Found{Class: "sample.Samples$Plain"}},
		{"fluxbolt", Found{Kind: ShellBolt, Class: "org.apache.storm.flux.wrappers.bolts.FluxShellBolt",
			Command: []string{"python3", "b.py"}, Env: env, ChangeDir: true}},
		{"fluxspout", Found{Kind: ShellSpout, Class: "org.apache.storm.flux.wrappers.spouts.FluxShellSpout",
			Command: []string{"python3", "s.py"}, ChangeDir: true}},
		{"partialkey", Found{Kind: PartialKey, Class: partialKeyClass}},
		{"partialkey-fields", Found{Kind: PartialKey, Class: partialKeyClass, Fields: []string{"a", "b"}}},
		{"partialkey-own", Found{Class: "sample.Samples$OneTask"}},
		{"lambda", Found{Class: "sample.Samples"}},
		{"drpcspout", Found{Kind: DRPCSpout, Class: drpcSpoutClass, Function: "reach"}},
		{"drpcspout-local", Found{Class: drpcSpoutClass}},
		{"returnresults", Found{Kind: ReturnResults, Class: resultsClass}},
		{"string", Found{Class: "java.lang.String"}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			data := sample(t, tc.file+".ser")
			got, err := Recognize(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if _, err := Parse(data); err != nil {
				t.Errorf("not read to its end: %v", err)
			}
			if _, err := Parse(append(data, tcNull)); !errors.Is(err, ErrBroken) {
				t.Errorf("a byte behind the value gave %v", err)
			}
		})
	}
}

func TestParseKeepsEveryKind(t *testing.T) {
	v, err := Parse(sample(t, "shellbolt-fields.ser"))
	if err != nil {
		t.Fatal(err)
	}
	o := v.(*Object)
	want := map[string]Value{"count": int32(7), "big": int64(1) << 40, "ratio": 0.5, "letter": uint16('x'),
		"text": "héllo \U0001F600\x00"}
	const class = "sample.Samples$Rich"
	for name, w := range want {
		if got, ok := o.Field(class, name); !ok || got != w {
			t.Errorf("%s is %v, want %v", name, got, w)
		}
	}
	if self, _ := o.Field(class, "self"); self != Value(o) {
		t.Error("the reference back to the object is lost")
	}
	bytes, _ := o.Field(class, "bytes")
	if diff := cmp.Diff([]byte{1, 2, 255}, bytes.(*Array).Raw); diff != "" {
		t.Error(diff)
	}
	grid, _ := o.Field(class, "grid")
	if rows := grid.(*Array).Elements; len(rows) != 2 || rows[1].(*Array).Len != 2 {
		t.Errorf("grid is %v", rows)
	}
	state, _ := o.Field(class, "state")
	if e := state.(*Enum); e.Name != "RUNNABLE" || e.Class.Name != "java.lang.Thread$State" {
		t.Errorf("state is %v", e)
	}
	typ, _ := o.Field(class, "type")
	if typ.(*Class).Name != "java.lang.String" {
		t.Errorf("type is %v", typ)
	}
	list, _ := o.Field(class, "list")
	if items := withoutBlocks(list.(*Object).Data[0].Annotations); len(items) != 3 || items[1] != nil || items[2] != Value(o) {
		t.Errorf("list is %v", items)
	}
}

// A stream that ends early is an error of Parse at every length; Recognize still names the class where it can.
func TestTruncated(t *testing.T) {
	data := sample(t, "shellbolt-fields.ser")
	named := 0
	for n := range data {
		if _, err := Parse(data[:n]); !errors.Is(err, ErrBroken) {
			t.Fatalf("the first %d bytes gave %v", n, err)
		}
		if f, err := Recognize(data[:n]); err == nil {
			if f.Class != "sample.Samples$Rich" {
				t.Fatalf("the first %d bytes are %q", n, f.Class)
			}
			named++
		}
	}
	if named == 0 {
		t.Error("a stream whose last class cannot be read was never recognized")
	}
}

func TestBroken(t *testing.T) {
	head := "\xac\xed\x00\x05"
	class := "\x72\x00\x01A\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x70" // class A without fields
	deep := strings.Repeat("\x75\x72\x00\x02[L\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x70\x00\x00\x00\x01", MaxDepth+1)
	for _, tc := range []struct {
		name, data string
		want       error
	}{
		{"empty", "", ErrBroken},
		{"no stream", "PK\x03\x04", ErrBroken},
		{"unknown type code", head + "\x7f", ErrBroken},
		{"reset", head + "\x79", ErrBroken},
		{"unknown handle", head + "\x71\x00\x7e\x00\x00", ErrBroken},
		{"negative handle", head + "\x71\xff\xff\xff\xff", ErrBroken},
		{"object without class", head + "\x73\x70", ErrBroken},
		{"class that is its own superclass", head + "\x73\x72\x00\x01A\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x71\x00\x7e\x00\x00", ErrBroken},
		{"class value without class", head + "\x76\x70", ErrBroken},
		{"enum without class", head + "\x7e\x70\x74\x00\x01A", ErrBroken},
		{"array of an object class", head + "\x75" + class + "\x00\x00\x00\x00", ErrBroken},
		{"array longer than the stream", head + "\x75\x72\x00\x02[L\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x70\x7f\xff\xff\xff", ErrBroken},
		{"array of longs longer than the stream", head + "\x75\x72\x00\x02[J\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x70\x7f\xff\xff\xff", ErrBroken},
		{"array of negative length", head + "\x75\x72\x00\x02[J\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x70\x80\x00\x00\x00", ErrBroken},
		{"string longer than the stream", head + "\x74\xff\xff", ErrBroken},
		{"long string of negative length", head + "\x7c\xff\xff\xff\xff\xff\xff\xff\xff", ErrBroken},
		{"bad text", head + "\x74\x00\x01\xff", ErrBroken},
		{"block data as value", head + "\x77\x00", ErrBroken},
		{"deep", head + deep + "\x70", ErrTooLarge},
		{"large", head + strings.Repeat("\x00", MaxBytes), ErrTooLarge},
		{"many", head + "\x75\x72\x00\x02[L\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78\x70\x00\x10\x00\x00" + strings.Repeat("\x70", 1<<20), ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if v, err := Parse([]byte(tc.data)); !errors.Is(err, tc.want) {
				t.Errorf("got %v, %v; want %v", v, err, tc.want)
			}
			if f, err := Recognize([]byte(tc.data)); err == nil && f.Class == "" {
				t.Error("recognized without a class")
			}
		})
	}
}

func TestChainBound(t *testing.T) {
	stream := "\xac\xed\x00\x05\x73" + strings.Repeat("\x72\x00\x01A\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x78", MaxChain+1) + "\x70"
	if _, err := Parse([]byte(stream)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a chain over the bound gave %v", err)
	}
}

func FuzzRecognize(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ser")
	if err != nil || len(files) == 0 {
		f.Fatal("no samples", err)
	}
	for _, name := range files {
		f.Add(sample(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := Recognize(data)
		if err == nil && found.Class == "" {
			t.Fatal("recognized without a class")
		}
		if found.Kind == ShellBolt && err == nil && len(found.Command) == 0 {
			t.Fatal("a shell bolt without a command")
		}
		if _, err := Parse(data); err != nil && !errors.Is(err, ErrBroken) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("error of no kind: %v", err)
		}
	})
}
