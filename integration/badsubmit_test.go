package integration

import (
	"archive/zip"
	"bytes"
	bits "encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// submit is what a client sends.
type submit struct {
	name, location, conf string
	code                 *stormrpc.StormTopology
}

func (s *submit) bolt(id string) *stormrpc.Bolt { return s.code.Bolts[id] }

// last is the only subscription of the bolt "last": fields grouping on stream default of "pass".
func (s *submit) last() *wire.MapEntry[*stormrpc.GlobalStreamId, *stormrpc.Grouping] {
	return &s.bolt("last").Common.Inputs[0]
}

func (s *submit) hint(n int32) { s.bolt("pass").Common.ParallelismHint = &n }

// rename gives the bolt "last" another id, which nobody subscribes to.
func (s *submit) rename(id string) {
	s.code.Bolts[id] = s.code.Bolts["last"]
	delete(s.code.Bolts, "last")
}

const badName = `is not valid. It can't be null and it must match ^[^/.:\\]+$`

// badSubmits are refused with InvalidTopologyException.
var badSubmits = []struct {
	name  string
	spoil func(*submit)
	want  string
}{
	{"name with a slash", func(s *submit) { s.name = "a/b" }, "Topology name 'a/b' " + badName},
	{"name that goes up", func(s *submit) { s.name = "../../x" }, "Topology name '../../x' " + badName},
	{"name with a dot", func(s *submit) { s.name = "a.b" }, "Topology name 'a.b' " + badName},
	{"name with a colon", func(s *submit) { s.name = "a:b" }, "Topology name 'a:b' " + badName},
	{"name with a backslash", func(s *submit) { s.name = `a\b` }, `Topology name 'a\b' ` + badName},
	{"empty name", func(s *submit) { s.name = "" }, "Topology name '' " + badName},
	{"name with a line break", func(s *submit) { s.name = "a\nb" }, badName},
	{"very long name", func(s *submit) { s.name = strings.Repeat("n", 100_000) }, badName},

	{"unknown source", func(s *submit) { s.last().Key.ComponentId = "nobody" },
		"Component: [last] subscribes from non-existent component [nobody]"},
	{"unknown stream", func(s *submit) { s.last().Key.StreamId = "side" },
		"Component: [last] subscribes from non-existent stream: [side] of component [pass]"},
	{"unknown field", func(s *submit) {
		s.last().Value.Fields = []string{"m"}
	}, "Component: [last] subscribes from stream: [default] of component [pass] + with non-existent fields: [m]"},
	{"id of a spout and a bolt", func(s *submit) { s.rename("numbers") }, "Duplicate component ids: [numbers]"},
	{"no spout", func(s *submit) { s.code.Spouts = nil }, "There must be at least one spout"},
	{"nothing at all", func(s *submit) { s.code = &stormrpc.StormTopology{} }, "There must be at least one spout"},
	{"system id", func(s *submit) { s.rename("__acker") }, "__acker is not a valid component id."},
	{"empty id", func(s *submit) { s.rename("") }, "component id"},
	{"system stream", func(s *submit) {
		s.bolt("pass").Common.Streams["__x"] = &stormrpc.StreamInfo{OutputFields: []string{"a"}}
	}, "__x is not a valid stream id."},
	{"inputs of a spout", func(s *submit) {
		s.code.Spouts["numbers"].Common.Inputs = s.bolt("last").Common.Inputs
	}, "May not declare inputs for a spout"},
	{"negative parallelism", func(s *submit) { s.hint(-1) }, "pass"},
	{"huge parallelism", func(s *submit) { s.hint(1<<31 - 1) }, "pass"},
	{"tasks without executors", func(s *submit) {
		s.hint(0)
		c := `{"topology.tasks": 2}`
		s.bolt("pass").Common.JSONConf = &c
	}, "Number of executors must be greater than 0 when number of tasks is greater than 0"},
	{"conf of a component that is no JSON", func(s *submit) { c := "{"; s.bolt("pass").Common.JSONConf = &c }, "pass"},
	{"shell component without a command", func(s *submit) {
		s.bolt("pass").BoltObject = &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{}}
	}, "Component: [pass] is a shell component without a command"},

	{"conf that is no JSON", func(s *submit) { s.conf = "{" }, "topology configuration: "},
	{"conf that is empty", func(s *submit) { s.conf = "" }, "topology configuration: "},
	{"conf that is a list", func(s *submit) { s.conf = "[1]" }, "topology configuration: "},
	{"conf with something behind", func(s *submit) { s.conf = "{} {}" }, "topology configuration: "},
	{"conf nested deep", func(s *submit) { s.conf = strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) }, "topology configuration: "},
	{"workers as text", func(s *submit) { s.conf = `{"topology.workers": "many"}` }, "topology.workers"},
	{"workers as a fraction", func(s *submit) { s.conf = `{"topology.workers": 1.5}` }, "topology.workers"},
	{"negative workers", func(s *submit) { s.conf = `{"topology.workers": -1}` }, "topology.workers"},
	{"no workers", func(s *submit) { s.conf = `{"topology.workers": 0}` }, "topology.workers"},
	{"huge workers", func(s *submit) { s.conf = `{"topology.workers": 99999999999}` }, "topology.workers"},
	{"timeout as a list", func(s *submit) { s.conf = `{"topology.message.timeout.secs": [30]}` }, "topology.message.timeout.secs"},
	{"debug as a number", func(s *submit) { s.conf = `{"topology.debug": 1}` }, "topology.debug"},
	{"environment as text", func(s *submit) { s.conf = `{"topology.environment": "A=1"}` }, "topology.environment"},
	{"blobs that are not there", func(s *submit) { s.conf = `{"topology.blobstore.map": {"k": {}}}` }, "Key not found: k"},

	{"jar that was never uploaded", func(s *submit) { s.location = "stormjar-1.jar" }, "is not a finished upload of this nimbus"},
	{"jar of the system", func(s *submit) { s.location = "/etc/passwd" }, "is not a finished upload of this nimbus"},
	{"jar that goes up", func(s *submit) { s.location = "../../../etc/passwd" }, "is not a finished upload of this nimbus"},
	{"no jar", func(s *submit) { s.location = "" }, "is not a finished upload of this nimbus"},
}

// Bad submits are refused with Storm's exception, nothing runs, and nothing is left on the disk.
func TestBadSubmits(t *testing.T) {
	c := startCluster(t)
	nc := c.dial(t)
	good := upload(t, nc, jarOf(t, "resources/numbers.py"))
	var before []string
	waitFor(t, 10*time.Second, "a state folder with the supervisor's reserve and nothing half written", func() bool {
		before = files(t, c)
		return slices.ContainsFunc(before, func(p string) bool { return filepath.Base(p) == "reserve" }) &&
			!slices.ContainsFunc(before, func(p string) bool { return strings.HasSuffix(p, ".tmp") })
	})
	for _, b := range badSubmits {
		t.Run(b.name, func(t *testing.T) {
			s := submit{name: "bad", location: good, conf: "{}", code: topology(t)}
			b.spoil(&s)
			refused(t, nc, s, b.want)
		})
	}
	for name, b := range badJars(t) {
		t.Run(name, func(t *testing.T) {
			refused(t, nc, submit{"bad", upload(t, nc, b.jar), "{}", topology(t)}, b.want)
		})
	}
	if list, err := nc.Nimbus().GetTopologySummaries(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("topologies after refused submits: %v, %v", list, err)
	}
	if diff := cmp.Diff(before, files(t, c)); diff != "" {
		t.Errorf("files after refused submits (-before +after):\n%s", diff)
	}
	// What was refused did no harm to what is good: cycles are allowed, and so are 0 executors.
	s := submit{name: "cycle", location: good, conf: "{}", code: topology(t)}
	s.bolt("pass").Common.Inputs = append(s.bolt("pass").Common.Inputs, wire.MapEntry[*stormrpc.GlobalStreamId, *stormrpc.Grouping]{
		Key: &stormrpc.GlobalStreamId{ComponentId: "pass", StreamId: "default"}, Value: &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}})
	if err := nc.Nimbus().SubmitTopology(t.Context(), s.name, s.location, s.conf, s.code); err != nil {
		t.Errorf("a topology with a cycle: %v", err)
	}
}

func upload(t *testing.T, nc *client.Client, jar []byte) string {
	t.Helper()
	location, err := nc.Upload(t.Context(), bytes.NewReader(jar), nil)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// refused submits and wants InvalidTopologyException with a text.
func refused(t *testing.T, nc *client.Client, s submit, want string) {
	t.Helper()
	err := nc.Nimbus().SubmitTopology(t.Context(), s.name, s.location, s.conf, s.code)
	var invalid *stormrpc.InvalidTopologyException
	if !errors.As(err, &invalid) {
		t.Fatalf("got %T %.300v, want InvalidTopologyException", err, err)
	}
	if !strings.Contains(invalid.Msg, want) {
		t.Errorf("got %.300q, want %q in it", invalid.Msg, want)
	}
	if strings.Contains(invalid.Msg, "goroutine") || strings.Contains(invalid.Msg, "runtime error") {
		t.Errorf("the answer shows a crash: %.300q", invalid.Msg)
	}
}

// files lists the state folder of a cluster: everything but logs and finished uploads, which stay for an hour, as in Storm.
func files(t *testing.T, c *cluster) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(c.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(c.dir, p)
		if err == nil && !strings.HasPrefix(rel, "logs/") && filepath.Base(filepath.Dir(p)) != "inbox" {
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

type badJar struct {
	jar  []byte
	want string
}

func badJars(t *testing.T) map[string]badJar {
	t.Helper()
	link := &zip.FileHeader{Name: "resources/link"}
	link.SetMode(fs.ModeSymlink | 0o777)
	huge := &zip.FileHeader{Name: "resources/zeros", UncompressedSize64: 1 << 40, CompressedSize64: 4, CRC32: crc32.ChecksumIEEE([]byte("text"))}
	return map[string]badJar{
		"jar that is no zip":           {noise(1000), "not a zip file"},
		"jar that is empty":            {nil, "not a zip file"},
		"jar that is cut off":          {jarOf(t, "resources/a")[:40], "not a zip file"},
		"jar that leaves its folder":   {jarOf(t, "resources/../../../evil"), "leaves its directory"},
		"jar with an absolute path":    {jarOf(t, "/tmp/evil"), "absolute path"},
		"jar with a Windows path":      {jarOf(t, `resources\..\..\evil`), "leaves its directory"},
		"jar with a link":              {jarWith(t, link, []byte("/etc/passwd")), "neither a file nor a directory"},
		"jar that declares a terabyte": {jarWith(t, huge, []byte("text")), "when unpacked"},
	}
}

// jarWith makes a zip file of one entry whose header is taken as it is.
func jarWith(t *testing.T, h *zip.FileHeader, data []byte) []byte {
	t.Helper()
	if h.CompressedSize64 == 0 {
		h.CompressedSize64, h.UncompressedSize64, h.CRC32 = uint64(len(data)), uint64(len(data)), crc32.ChecksumIEEE(data)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(h)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb makes a zip file of one entry that unpacks to n zeros but declares a few bytes.
func bomb(t *testing.T, name string, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(make([]byte, n))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	// The size in the entry of the central directory, and in the data descriptor behind the contents.
	at := bytes.LastIndex(data, []byte("PK\x01\x02"))
	bits.LittleEndian.PutUint32(data[at+24:], 10)
	at = bytes.LastIndex(data, []byte("PK\x07\x08"))
	bits.LittleEndian.PutUint32(data[at+12:], 10)
	return data
}

// A zip bomb whose declared sizes lie is let in, but unpacked no further than it says: the topology's errors tell, and the
// disk does not fill.
func TestZipBomb(t *testing.T) {
	c := startCluster(t)
	nc := c.dial(t)
	const real = 64 << 20
	if err := nc.Nimbus().SubmitTopology(t.Context(), "bomb", upload(t, nc, bomb(t, "resources/numbers.py", real)), "{}", topology(t)); err != nil {
		var invalid *stormrpc.InvalidTopologyException
		if !errors.As(err, &invalid) {
			t.Fatalf("got %T %v", err, err)
		}
		return
	}
	waitFor(t, 20*time.Second, "the error in info", func() bool {
		return strings.Contains(c.info(t, "bomb").errors("__system"), `unpack "resources/numbers.py"`)
	})
	if size := diskUse(t, filepath.Join(c.dir, "supervisor")); size > real/2 {
		t.Errorf("the bomb takes %d bytes of the supervisor's folder", size)
	}
}

func diskUse(t *testing.T, dir string) (total int64) {
	t.Helper()
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
