package doctor

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/classfile"
	"github.com/gearstorm/gearstorm/compat/classfile/classfiletest"
)

type class = classfiletest.Class

const org = stormPackage // short, for the tables

func file(name string, data []byte) File {
	return File{Name: name, ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
}

func method(name string) classfile.Method {
	return classfile.Method{Name: name, Descriptor: "()V", Flags: classfile.AccPublic}
}

// start is a main class that names others and, as all do, something of Storm's.
func start(name string, refs ...string) class {
	return class{Name: name, Methods: []classfile.Method{classfiletest.Main}, Classes: append(refs, org+"StormSubmitter")}
}

// rows writes components in a line each. What waits for the JVM host alone is "java" with and without one.
func rows(cs []Component) []string {
	out := []string{}
	for _, c := range cs {
		runs, why := string(c.Runs), c.Why
		if c.Runs == JVM || c.Runs == No && (c.Why == noHost || strings.HasPrefix(c.Why, refusedBy)) {
			runs, why = "java", ""
		}
		line := strings.Join([]string{c.Name, string(c.Kind), runs}, " | ")
		for _, part := range append([]string{c.Class, why}, c.Notes...) {
			if part != "" {
				line += " | " + part
			}
		}
		out = append(out, line)
	}
	return out
}

func findings(r *Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		if f.Blocks {
			out = append(out, "error: "+f.Text)
		} else {
			out = append(out, "note: "+f.Text)
		}
	}
	return out
}

func TestJar(t *testing.T) {
	_, _, changed := Where(ShellOverride, "")
	shell := class{Name: "a.Split", Super: org + "task.ShellBolt", Interfaces: []string{org + "topology.IRichBolt"}, Texts: []string{"python3", "split.py"},
		Methods: []classfile.Method{method("<init>"), method("declareOutputFields"), method("getComponentConfiguration")}}
	with := func(c class, change func(*class)) class { change(&c); return c }
	bolt := class{Name: "a.Count", Super: org + "topology.base.BaseRichBolt"}
	for _, tc := range []struct {
		name     string
		files    map[string]string
		classes  []class
		options  JarOptions
		rows     []string
		unused   []string
		findings []string
	}{
		{
			name: "every kind of component",
			classes: []class{start("a.Main", "a.Spout", "a.Basic", "a.Windowed", "a.Stateful", "a.Both", "a.Group", "a.Hook", "a.WorkerHook", "a.Consumer", "a.Provider", "a.Op"),
				{Name: "a.Spout", Interfaces: []string{org + "topology.IRichSpout"}},
				{Name: "a.Basic", Super: org + "topology.base.BaseBasicBolt"},
				{Name: "a.Windowed", Super: org + "topology.base.BaseWindowedBolt"},
				{Name: "a.Stateful", Super: org + "topology.base.BaseStatefulBolt"},
				{Name: "a.Both", Super: org + "topology.base.BaseStatefulWindowedBolt", Interfaces: []string{org + "hooks.ITaskHook"}},
				{Name: "a.Group", Interfaces: []string{org + "grouping.CustomStreamGrouping"}},
				{Name: "a.Hook", Super: org + "hooks.BaseTaskHook"},
				{Name: "a.WorkerHook", Super: org + "hooks.BaseWorkerHook"},
				{Name: "a.Consumer", Interfaces: []string{org + "metric.api.IMetricsConsumer"}},
				{Name: "a.Provider", Interfaces: []string{org + "state.StateProvider"}},
				{Name: "a.Op", Super: org + "trident.operation.BaseFunction"},
			},
			options: JarOptions{Java: 17},
			rows: []string{"a.Spout | spout | java", "a.Basic | basic bolt | java", "a.Windowed | windowed bolt | java", "a.Stateful | stateful bolt | java",
				"a.Both | stateful windowed bolt | java", "a.Op | Trident operation | java", "a.Group | grouping | java", "a.Provider | state provider | java",
				"a.Both | task hook | java", "a.Hook | task hook | java", "a.WorkerHook | worker hook | java", "a.Consumer | metrics consumer | java"},
		},
		{
			name: "through the jar's own superclasses and interfaces",
			classes: []class{start("a.Main", "a.Count"), {Name: "a.Count", Super: "a.Base"},
				{Name: "a.Base", Flags: classfile.AccAbstract, Interfaces: []string{"a.Mark"}},
				{Name: "a.Mark", Flags: classfile.AccInterface | classfile.AccAbstract, Interfaces: []string{org + "topology.IBasicBolt"}}},
			options: JarOptions{Java: 17},
			rows:    []string{"a.Count | basic bolt | java"},
		},
		{
			name:    "classes that extend each other",
			classes: []class{start("a.Main", "a.A"), {Name: "a.A", Super: "a.B"}, {Name: "a.B", Super: "a.A"}, {Name: "a.C", Super: "a.C"}},
		},
		{
			name:    "a shell bolt without methods of its own",
			files:   map[string]string{"resources/split.py": "", "resources/storm.py": "", "resources/README": ""},
			classes: []class{start("a.Main", "a.Split"), shell},
			rows:    []string{"a.Split | shell bolt | native | multilang split.py"},
		},
		{
			name:  "shell bolts with methods of their own",
			files: map[string]string{"resources/split.py": ""},
			classes: []class{start("a.Main", "a.Split", "a.More", "a.Spout"), with(shell, func(c *class) { c.Methods = append(c.Methods, method("prepare")) }),
				{Name: "a.More", Super: "a.Split"},
				{Name: "a.Spout", Super: org + "spout.ShellSpout", Methods: []classfile.Method{method("nextTuple")}}},
			options: JarOptions{Java: 17},
			rows: []string{"a.Spout | shell spout | java | " + changed + " | its own methods: a.Spout.nextTuple",
				"a.More | shell bolt | java | " + changed + " | its own methods: a.Split.prepare",
				"a.Split | shell bolt | java | " + changed + " | its own methods: a.Split.prepare"},
		},
		{
			name:     "a script that is not there",
			files:    map[string]string{"resources/other.py": ""},
			classes:  []class{start("a.Main", "a.Split"), shell},
			rows:     []string{"a.Split | shell bolt | native | multilang split.py | split.py is not in the jar's resources/"},
			findings: nil,
		},
		{
			name:     "no scripts at all",
			classes:  []class{start("a.Main", "a.Split"), shell},
			rows:     []string{"a.Split | shell bolt | native | multilang split.py"},
			findings: []string{"note: there are multilang components, but no scripts in resources/ of the jar"},
		},
		{
			name:    "what no main class reaches",
			classes: []class{start("a.Main", "a.Helper"), {Name: "a.Helper", Texts: []string{"a.Count"}}, bolt, {Name: "b.Unused", Super: org + "topology.base.BaseRichSpout"}},
			options: JarOptions{Java: 17},
			rows:    []string{"a.Count | bolt | java"},
			unused:  []string{"b.Unused | spout | java"},
		},
		{
			name: "one main class of several",
			classes: []class{start("a.Main", "a.Count"), bolt, start("a.Other", "a.Spout"),
				{Name: "a.Spout", Super: org + "topology.base.BaseRichSpout"}},
			options: JarOptions{Java: 17, Main: "a.Other"},
			rows:    []string{"a.Spout | spout | java"},
			unused:  []string{"a.Count | bolt | java"},
		},
		{
			name:    "Flux names its classes in YAML",
			classes: []class{start(org+"flux.Flux", org+"topology.TopologyBuilder"), bolt},
			options: JarOptions{Java: 17},
			rows:    []string{"a.Count | bolt | java"},
		},
		{
			name: "what a main class makes without classes of its own",
			classes: []class{with(start("a.Main"), func(c *class) {
				c.Calls = []classfile.Call{{Class: org + "topology.TopologyBuilder", Name: "setBolt", Descriptor: "(Ljava/lang/String;Lorg/apache/storm/lambda/SerializableConsumer;)V"},
					{Class: org + "trident.TridentTopology", Name: "<init>", Descriptor: "()V"},
					{Class: org + "drpc.LinearDRPCTopologyBuilder", Name: "<init>", Descriptor: "(Ljava/lang/String;)V"},
					{Class: org + "streams.StreamBuilder", Name: "<init>", Descriptor: "()V"},
					{Class: org + "grouping.PartialKeyGrouping", Name: "<init>", Descriptor: "()V"}}
				c.Classes = append(c.Classes, org+"metric.LoggingMetricsConsumer")
			})},
			options: JarOptions{Java: 17},
			rows: []string{"a.Main | lambda components | java", "a.Main | streams topology | java", "a.Main | Trident topology | java",
				"a.Main | DRPC topology | java", org + "grouping.PartialKeyGrouping | partial key grouping | native",
				org + "metric.LoggingMetricsConsumer | metrics consumer | java"},
		},
		{
			name:    "built for a newer Java",
			classes: []class{start("a.Main", "a.Count", "a.Util", "lib.Far"), with(bolt, func(c *class) { c.Java = 21 }), {Name: "a.Util", Java: 21}, {Name: "lib.Far", Java: 25}},
			options: JarOptions{Java: 17},
			rows:    []string{refused("a.Count | bolt", "a.Count is built for Java 21, the Java here is 17")},
			findings: []string{"error: built for Java 21, the Java here is 17: a.Util",
				"note: classes of libraries are built for Java 25, the Java here is 17: lib.Far"},
		},
		{
			name: "classes that are nowhere",
			classes: []class{start("com.acme.topo.Main", "com.acme.util.Gone", "com.other.Optional", org+"kafka.spout.KafkaSpout", org+"tuple.Fields", "java.util.Map", "javax.sql.DataSource"),
				{Name: "com.acme.util.There", Classes: []string{"com.acme.util.Unreached"}}},
			options: JarOptions{Java: 17},
			findings: []string{"error: com.acme.util.Gone, which com.acme.topo.Main uses, is not in the jar",
				"error: org.apache.storm.kafka.spout.KafkaSpout, which com.acme.topo.Main uses, is neither in the jar nor in Storm's client: put its module into the jar, or name it with --jars"},
		},
		{
			name:     "a superclass of a library that is not there",
			classes:  []class{start("a.Main", "a.Odd"), {Name: "a.Odd", Super: "lib.Component", Classes: []string{"lib.Component"}}},
			options:  JarOptions{Java: 17},
			findings: []string{"note: a.Odd extends lib.Component, which is not in the jar: what it is to Storm cannot be told"},
		},
		{
			name: "what differs here",
			classes: []class{with(start("a.Main", "a.Count", "a.Count$1", "a.Helper", org+"LocalCluster"), func(c *class) {
				c.Calls = []classfile.Call{{Class: "java.lang.System", Name: "exit", Descriptor: "(I)V"}}
				c.Texts = []string{org + "redis.state.RedisKeyValueStateProvider"}
			}), bolt, {Name: "a.Count$1", Calls: []classfile.Call{{Class: "java.lang.Runtime", Name: "halt", Descriptor: "(I)V"}}},
				{Name: "a.Helper", Calls: []classfile.Call{{Class: "java.lang.System", Name: "exit", Descriptor: "(I)V"}}},
				{Name: "a.Serializer", Interfaces: []string{org + "multilang.ISerializer"}}},
			options: JarOptions{Java: 17},
			rows:    []string{"a.Count | bolt | java | " + exits},
			unused:  []string{"a.Serializer | multilang serializer | no | multilang children speak JSON or msgpack here; a class for topology.multilang.serializer is not loaded"},
			findings: []string{"note: a.Main: its state is kept in Redis, which has to be reachable from the workers",
				"note: a.Main: it can start Storm's own LocalCluster, which is in storm-server and is no part of gearstorm; submit with StormSubmitter",
				"note: a.Helper: " + exits},
		},
		{
			name:     "transactional topologies",
			classes:  []class{start("a.Main", "a.Count", org+"transactional.TransactionalTopologyBuilder"), with(bolt, func(c *class) { c.Classes = []string{org + "transactional.TransactionAttempt"} })},
			options:  JarOptions{Java: 17},
			rows:     []string{"a.Count | bolt | java"},
			findings: []string{"error: a.Main: transactional topologies are not in Storm 2 any more; Trident took their place"},
		},
		{
			name:     "for Storm before 1.0",
			classes:  []class{{Name: "a.Main", Methods: []classfile.Method{classfiletest.Main}, Classes: []string{"backtype.storm.StormSubmitter", "a.Old"}}, {Name: "a.Old", Super: "backtype.storm.topology.base.BaseRichBolt"}},
			options:  JarOptions{Java: 17},
			findings: []string{"error: a.Main, a.Old: it was built for Storm before 1.0 (backtype.storm); build it against org.apache.storm"},
		},
		{
			name: "Storm's client and other things that do not belong",
			files: map[string]string{"defaults.yaml": "", "lib/inner.jar": "", "a/Broken.class": "x", "META-INF/versions/25/a/Count.class": "x", "module-info.class": "x", "META-INF/LIB.SF": "",
				"BOOT-INF/classes/a/Count.class": string(bolt.Bytes())},
			classes: []class{start("a.Main", "a.Count"), bolt, {Name: org + "topology.base.BaseRichBolt"}, {Name: org + "command.Kill", Methods: []classfile.Method{classfiletest.Main}}},
			options: JarOptions{Java: 17},
			rows:    []string{"a.Count | bolt | java"},
			findings: []string{"error: Storm's client is in the jar (defaults.yaml), and Storm's commands refuse to start with two of it: make storm-client a provided dependency",
				"note: class files that cannot be read: a/Broken.class", "note: class files where no class loader looks for them: BOOT-INF/classes/a/Count.class",
				"note: Java refuses the classes of a jar that has the signatures of others (Invalid signature file digest): META-INF/LIB.SF", "note: jars inside the jar are on no class path: lib/inner.jar"},
		},
		{
			name:     "no classes",
			files:    map[string]string{"resources/a.py": ""},
			findings: []string{"note: there is no class in it"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Jar(file("x.jar", classfiletest.Jar(t, tc.files, tc.classes...)), tc.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, diff := range []string{cmp.Diff(orEmpty(tc.rows), rows(withoutTableNotes(r.Components))), cmp.Diff(orEmpty(tc.unused), rows(withoutTableNotes(r.Unused))),
				cmp.Diff(orEmpty(tc.findings), findings(r))} {
				if diff != "" {
					t.Error(diff)
				}
			}
			blocked := slices.ContainsFunc(r.Components, func(c Component) bool { return c.Runs == No }) || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Blocks })
			if r.Runs == blocked {
				t.Errorf("runs is %t", r.Runs)
			}
		})
	}
}

// refused is a row of what needs a JVM and would not run with one either.
func refused(part, why string) string {
	if v, _, _ := Where(Bolt, ""); v == JVM {
		return part + " | no | " + why
	}
	return part + " | java | " + why // beside the first reason
}

func orEmpty(s []string) []string { return append([]string{}, s...) }

// withoutTableNotes leaves out what the table says of every component of a kind.
func withoutTableNotes(cs []Component) []Component {
	for i, c := range cs {
		_, _, note := Where(c.Kind, "")
		cs[i].Notes = slices.DeleteFunc(c.Notes, func(n string) bool { return n == note })
	}
	return cs
}

func TestJarMains(t *testing.T) {
	manifest := "Manifest-Version: 1.0\r\nMain-Class: b.S\r\n tart\r\n"
	data := classfiletest.Jar(t, map[string]string{"META-INF/MANIFEST.MF": manifest, "resources/b.js": "", "resources/a.py": "", "resources/data.bin": ""},
		start("a.Main"), class{Name: "b.Start", Methods: []classfile.Method{classfiletest.Main}})
	r, err := Jar(file("x.jar", data), JarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b.Start", "a.Main"}, r.Mains); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a.py", "b.js"}, r.Resources); diff != "" {
		t.Error(diff)
	}
	if _, err := Jar(file("x.jar", data), JarOptions{Main: "c.None"}); !errors.Is(err, ErrNoMain) || !strings.Contains(err.Error(), "there are b.Start, a.Main") {
		t.Errorf("a main class that is not there gave %v", err)
	}
}

// A dependency jar has what the topology's jar lacks; the first of two classes of a name counts.
func TestJarDependencies(t *testing.T) {
	data := classfiletest.Jar(t, nil, start("a.Main", "a.Count", "a.Lib"), class{Name: "a.Count", Super: org + "topology.base.BaseRichBolt"})
	more := classfiletest.Jar(t, nil, class{Name: "a.Lib"}, class{Name: "a.Count"})
	r, err := Jar(file("x.jar", data), JarOptions{Java: 17, Dependencies: []File{file("more.jar", more)}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.Count | bolt | java"}, rows(r.Components)); diff != "" || len(r.Findings) > 0 {
		t.Errorf("%s%v", diff, r.Findings)
	}
}

// With Storm's own jars the chain goes through classes that the table does not have, and a class that is not there is known.
func TestJarWithStorm(t *testing.T) {
	data := classfiletest.Jar(t, nil, start("a.Main", "a.Count", org+"topology.Gone"), class{Name: "a.Count", Super: org + "topology.Special"})
	client := classfiletest.Jar(t, nil, class{Name: org + "StormSubmitter"}, class{Name: org + "topology.Special", Interfaces: []string{org + "task.IBolt"}})
	r, err := Jar(file("x.jar", data), JarOptions{Java: 17, Storm: []File{file("storm-client.jar", client)}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.Count | bolt | java"}, rows(r.Components)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"error: org.apache.storm.topology.Gone, which a.Main uses, is not in Storm's client"}, findings(r)); diff != "" {
		t.Error(diff)
	}
	if r, err = Jar(file("x.jar", data), JarOptions{Java: 17}); err != nil || len(r.Components)+len(r.Findings) > 0 {
		t.Errorf("by names alone: %v, %v", r, err)
	}
}

func TestJarBounds(t *testing.T) {
	var many bytes.Buffer
	z := zip.NewWriter(&many)
	for i := range 2000 {
		if _, err := z.Create(fmt.Sprintf("entry-with-a-name-of-some-length-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	zeros := classfiletest.Jar(t, map[string]string{"a/A.class": strings.Repeat("\x00", 1<<20), "a/B.class": strings.Repeat("\x00", 1<<20)})
	for _, tc := range []struct {
		name   string
		data   []byte
		limits Limits
		want   string
	}{
		{"no zip", []byte("hello"), Limits{}, "x.jar is no jar"},
		{"too many entries", many.Bytes(), Limits{Entries: 1999}, "2000 entries, more than 1999"},
		{"a long list of entries", many.Bytes(), Limits{Entries: 10}, "its list of entries is longer than allowed"},
		{"too much when unpacked", zeros, Limits{Bytes: 1<<20 + 100}, "its class files are larger than allowed when unpacked: more than 1048676 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if r, err := Jar(file("x.jar", tc.data), JarOptions{Limits: tc.limits}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v; want %s", r, err, tc.want)
			}
		})
	}
}

func FuzzJar(f *testing.F) {
	f.Add(classfiletest.Jar(f, map[string]string{"META-INF/MANIFEST.MF": "Main-Class: a.Main", "resources/a.py": ""}, start("a.Main", "a.Count"),
		class{Name: "a.Count", Super: org + "topology.base.BaseRichBolt"}), "a.Main")
	f.Add([]byte("PK\x05\x06"), "")
	f.Fuzz(func(t *testing.T, data []byte, main string) {
		r, err := Jar(file("x.jar", data), JarOptions{Main: main, Java: 17, Limits: Limits{Entries: 100, Bytes: 1 << 20}})
		if err == nil && r.Components == nil {
			t.Fatal("a report without components")
		}
	})
}
