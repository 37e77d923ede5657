package localizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// master is a Source in memory.
type master struct {
	mu    sync.Mutex
	blobs map[string][]byte
	vers  map[string]int64
	reads map[string]int
	away  bool
	hold  chan struct{} // reads wait for it if not nil
	store string        // where caches keep its blobs
	dead  bool          // away, and everybody knows
	fail  int           // reads that break off in the middle
}

func (m *master) reachable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.dead
}

// blobDir is one for all caches of a test.
func (m *master) blobDir(t testing.TB) string {
	if m.store == "" {
		m.store = filepath.Join(t.TempDir(), "blobs")
	}
	return m.store
}

func newMaster() *master {
	return &master{blobs: map[string][]byte{}, vers: map[string]int64{}, reads: map[string]int{}}
}

func (m *master) put(key string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = data
	m.vers[key]++
}

func (m *master) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *master) get(key string) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, 0, client.ErrNoLeader
	}
	data, ok := m.blobs[key]
	if !ok {
		return nil, 0, fmt.Errorf("%s: %w", key, ErrNoBlob)
	}
	return data, m.vers[key], nil
}

func (m *master) BlobVersion(_ context.Context, key string) (int64, error) {
	_, v, err := m.get(key)
	return v, err
}

func (m *master) ReadBlob(ctx context.Context, key string, w io.Writer, most int64) (int64, error) {
	data, v, err := m.get(key)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	m.reads[key]++
	breaks := m.fail > 0
	if breaks {
		m.fail--
	}
	m.mu.Unlock()
	if breaks {
		w.Write(data[:len(data)/2])
		return 0, &wire.ConnError{Addr: "nimbus", Sent: true, Err: io.ErrUnexpectedEOF}
	}
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if int64(len(data)) > most {
		return 0, errors.New("blob is too large")
	}
	_, err = w.Write(data)
	return v, err
}

const topo = "count-1-1700000000"

// publish gives the master a topology.
func (m *master) publish(t testing.TB, c conf.Conf, jar []byte, dependencies ...string) {
	t.Helper()
	m.publishAs(t, topo, c, jar, dependencies...)
}

func (m *master) publishAs(t testing.TB, topo string, c conf.Conf, jar []byte, dependencies ...string) {
	t.Helper()
	data, err := client.EncodeConf(c)
	if err != nil {
		t.Fatal(err)
	}
	m.put(client.ConfKey(topo), data)
	code, err := client.EncodeTopology(&stormrpc.StormTopology{
		Spouts: map[string]*stormrpc.SpoutSpec{}, Bolts: map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{}, DependencyJars: dependencies,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.put(client.CodeKey(topo), code)
	if jar != nil {
		m.put(client.JarKey(topo), jar)
	}
}

func openCache(t testing.TB, dir string, m *master) *Cache {
	t.Helper()
	c, err := Open(Config{Dir: dir, BlobDir: m.blobDir(t), From: m, Limits: smallLimits, Platform: "linux-test",
		Retries: -1, Reachable: m.reachable, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// goJar is the jar of a Go topology with the given binary.
func goJar(t testing.TB, platform, binary string, change ...func(*Manifest)) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(binary))
	m := Manifest{Format: ManifestFormat, Binaries: map[string]ManifestBinary{
		platform: {SHA256: hex.EncodeToString(sum[:]), Size: int64(len(binary))},
	}}
	for _, f := range change {
		f(&m)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return zipOf(t, member{name: ManifestName, data: string(data)}, member{name: "bin/linux-test", data: binary},
		member{name: "bin/other", data: "other"}, member{name: "resources/x.py", data: "x"})
}

// names lists what is in a topology's directory, without the record.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	for name := range treeOf(t, dir) {
		if name != recordName {
			out = append(out, filepath.ToSlash(name))
		}
	}
	slices.Sort(out)
	return out
}

func TestAcquireBringsAllOfATopology(t *testing.T) {
	m := newMaster()
	jar := zipOf(t, member{name: "META-INF/MANIFEST.MF", data: "x"}, member{name: "../not/ours", data: "x"},
		member{name: "resources/"}, member{name: "resources/split.py", data: "import storm"}, member{name: "resourcesx/no", data: "x"})
	m.publish(t, conf.Conf{"topology.workers": int64(2), "topology.blobstore.map": map[string]any{
		"words.txt": map[string]any{"localname": "words"},
		"plain":     nil,
		"model.zip": map[string]any{"localname": "model", "uncompress": true},
	}}, jar, "dep-1.jar")
	m.put("dep-1.jar", []byte("dep"))
	m.put("words.txt", []byte("words"))
	m.put("plain", []byte("plain"))
	m.put("model.zip", zipOf(t, member{name: "v1/weights", data: "w"}))
	dir := t.TempDir()
	c := openCache(t, dir, m)
	code, err := c.Acquire(t.Context(), topo, "6700", Version{})
	if err != nil {
		t.Fatal(err)
	}
	links := []string{"model", "plain", "resources", "words"}
	if want := (Code{Dir: filepath.Join(dir, topo), Conf: code.Conf, Links: links, BlobDir: m.store, Stamp: code.Stamp}); !cmp.Equal(want, code) {
		t.Errorf("code %+v", code)
	}
	if n, err := code.Conf.Int("topology.workers"); n != 2 || err != nil {
		t.Errorf("conf: %v, %v", n, err)
	}
	want := []string{"dep-1.jar", "model", "plain", "resources", "resources/split.py",
		"stormcode.ser", "stormconf.ser", "stormjar.jar", "words"}
	if diff := cmp.Diff(want, names(t, code.Dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, want := range map[string]string{"dep-1.jar": "dep", "words": "words", "plain": "plain", "model/v1/weights": "w"} {
		if got, err := os.ReadFile(filepath.Join(code.Dir, name)); string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if left := names(t, dir); strings.Contains(strings.Join(left, " "), ".tmp") {
		t.Errorf("left over: %v", left)
	}
}

func TestAcquireWithoutJar(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, nil)
	code, err := openCache(t, t.TempDir(), m).Acquire(t.Context(), topo, "u", Version{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stormcode.ser", "stormconf.ser"}, names(t, code.Dir)); diff != "" {
		t.Error(diff)
	}
}

func TestGoTopology(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, goJar(t, "linux-test", "ELF"))
	code, err := openCache(t, t.TempDir(), m).Acquire(t.Context(), topo, "u", Version{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(code.Binary)
	if err != nil || st.Mode() != 0o700 {
		t.Fatalf("binary %q: %v, %v", code.Binary, st, err)
	}
	if got := treeOf(t, filepath.Join(code.Dir, "bin")); len(got) != 1 || got["linux-test"] != "-rwx------ ELF" {
		t.Fatalf("bin holds %v", got)
	}
}

func TestFailuresLeaveNothing(t *testing.T) {
	blobMap := func(key string, options map[string]any) conf.Conf {
		return conf.Conf{"topology.blobstore.map": map[string]any{key: options}}
	}
	plain := zipOf(t, member{name: "resources/a", data: "x"})
	cases := []struct {
		name string
		conf conf.Conf
		jar  []byte
		deps []string
		err  error
		text string
	}{
		{name: "local name climbs", conf: blobMap("b", map[string]any{"localname": "../canary"}), jar: plain, text: "single path element"},
		{name: "local name is absolute", conf: blobMap("b", map[string]any{"localname": "/etc/x"}), jar: plain, text: "single path element"},
		{name: "local name is nested", conf: blobMap("b", map[string]any{"localname": "a/b"}), jar: plain, text: "single path element"},
		{name: "local name is dots", conf: blobMap("b", map[string]any{"localname": ".."}), jar: plain, text: "single path element"},
		{name: "local name is empty", conf: blobMap("b", map[string]any{"localname": ""}), jar: plain, text: "single path element"},
		{name: "local name is the jar", conf: blobMap("b", map[string]any{"localname": "stormjar.jar"}), jar: plain, text: "is taken"},
		{name: "local name is the record", conf: blobMap("b", map[string]any{"localname": ".localized"}), jar: plain, text: "is taken"},
		{name: "local name is resources", conf: blobMap("b", map[string]any{"localname": "resources"}), jar: plain, text: "is taken"},
		{name: "local name is no text", conf: blobMap("b", map[string]any{"localname": []any{"x"}}), jar: plain, text: "localname"},
		{name: "map is a list", conf: conf.Conf{"topology.blobstore.map": []any{"b"}}, jar: plain, text: "is not a map"},
		{name: "no such blob", conf: blobMap("none", nil), jar: plain, err: ErrNoBlob},
		{name: "not an archive", conf: blobMap("b", map[string]any{"uncompress": true}), jar: plain, err: ErrArchive},
		{name: "hostile archive", conf: blobMap("evil.zip", map[string]any{"uncompress": true}), jar: plain, err: ErrArchive},
		{name: "dependency climbs", jar: plain, deps: []string{"../x"}, text: "single path element"},
		{name: "dependency twice", jar: plain, deps: []string{"b", "b"}, text: "is taken"},
		{name: "dependency missing", jar: plain, deps: []string{"none"}, err: ErrNoBlob},
		{name: "jar is no zip", jar: []byte("jar"), err: ErrArchive},
		{name: "jar climbs", jar: zipOf(t, member{name: "resources/../../canary", data: "dead"}), err: ErrArchive},
		{name: "jar with a link", jar: zipOf(t, member{name: "resources/a", mode: os.ModeSymlink | 0o777, data: "/etc"}), err: ErrArchive},
		{name: "no binary for us", jar: goJar(t, "plan9-mips", "ELF"), err: ErrNoBinary},
		{name: "binary changed", jar: goJar(t, "linux-test", "ELF", func(m *Manifest) {
			m.Binaries["linux-test"] = ManifestBinary{SHA256: strings.Repeat("0", 64), Size: 3}
		}), err: ErrArchive},
		{name: "binary of another size", jar: goJar(t, "linux-test", "ELF", func(m *Manifest) {
			b := m.Binaries["linux-test"]
			b.Size++
			m.Binaries["linux-test"] = b
		}), err: ErrArchive},
		{name: "manifest from the future", jar: goJar(t, "linux-test", "ELF", func(m *Manifest) { m.Format = 2 }), err: ErrArchive},
		{name: "manifest is no json", jar: zipOf(t, member{name: ManifestName, data: "{"}), err: ErrArchive},
		{name: "manifest without binary", jar: zipOf(t, member{name: ManifestName,
			data: `{"format":1,"binaries":{"linux-test":{"sha256":"","size":0}}}`}), err: ErrArchive},
		{name: "manifest too large", jar: zipOf(t, member{name: ManifestName, data: strings.Repeat(" ", maxManifestBytes+1)}), err: ErrArchive},
		{name: "jar too large", jar: make([]byte, 2<<20), text: "too large"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := newMaster()
			if c.conf == nil {
				c.conf = conf.Conf{}
			}
			m.publish(t, c.conf, c.jar, c.deps...)
			m.put("b", []byte("blob"))
			m.put("evil.zip", zipOf(t, member{name: "../canary", data: "dead"}))
			above := t.TempDir()
			if err := os.WriteFile(filepath.Join(above, "canary"), []byte("alive"), 0o600); err != nil {
				t.Fatal(err)
			}
			cache := openCache(t, filepath.Join(above, "dist"), m)
			_, err := cache.Acquire(t.Context(), topo, "u", Version{})
			if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			want := map[string]string{"canary": "-rw------- alive", "dist": "d 700"}
			if diff := cmp.Diff(want, treeOf(t, above)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestHostileTopologyIDs(t *testing.T) {
	c := openCache(t, t.TempDir(), newMaster())
	for _, id := range []string{"", ".", "..", "../x", "/x", "a/b", `a\b`, ".hidden", "x.tmp", "a\x00"} {
		if _, err := c.Acquire(t.Context(), id, "u", Version{}); err == nil || !strings.Contains(err.Error(), "no file name") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestDamagedOrLargeCodeAndConf(t *testing.T) {
	for name, data := range map[string][]byte{"too large": make([]byte, 2<<20), "not packed": []byte("{}"), "nothing": gzipOf(t, nil)} {
		for _, key := range []string{client.ConfKey(topo), client.CodeKey(topo)} {
			m := newMaster()
			m.publish(t, conf.Conf{}, nil)
			m.put(key, data)
			dir := t.TempDir()
			if _, err := openCache(t, dir, m).Acquire(t.Context(), topo, "u", Version{}); err == nil {
				t.Errorf("%s: %s is taken", name, key)
			}
			if left := treeOf(t, dir); len(left) > 0 {
				t.Errorf("%s: left %v", name, left)
			}
		}
	}
}

func TestCacheLivesThroughARestart(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, zipOf(t, member{name: "resources/a", data: "x"}))
	dir := t.TempDir()
	if _, err := openCache(t, dir, m).Acquire(t.Context(), topo, "u", Version{}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, topo+".7.tmp", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.setAway(true)
	c := openCache(t, dir, m)
	if _, err := os.Stat(filepath.Join(dir, topo+".7.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half-done directory: %v", err)
	}
	// What a script leaves beside itself is no damage.
	if err := os.WriteFile(filepath.Join(dir, topo, "resources", "a.pyc"), []byte("c"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Acquire(t.Context(), topo, "u", Version{}); err != nil {
		t.Fatalf("with the master away: %v", err)
	}
	if n := m.reads[client.JarKey(topo)]; n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestDamageIsFetchedAgain(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"jar changed":    func(d string) error { return os.WriteFile(filepath.Join(d, jarName), []byte("evil"), 0o600) },
		"resource gone":  func(d string) error { return os.Remove(filepath.Join(d, "resources", "a")) },
		"record gone":    func(d string) error { return os.Remove(filepath.Join(d, recordName)) },
		"record no json": func(d string) error { return os.WriteFile(filepath.Join(d, recordName), []byte("x"), 0o600) },
		"record climbs": func(d string) error {
			return os.WriteFile(filepath.Join(d, recordName), []byte(`{"format":2,"platform":"linux-test","files":{"../x":"y"}}`), 0o600)
		},
		"other platform": func(d string) error {
			return os.WriteFile(filepath.Join(d, recordName), []byte(`{"format":2,"platform":"other"}`), 0o600)
		},
		"file is a link": func(d string) error {
			os.Remove(filepath.Join(d, jarName))
			return os.Symlink("/etc/passwd", filepath.Join(d, jarName))
		},
		"all of it empty": func(d string) error { return errors.Join(os.RemoveAll(d), os.Mkdir(d, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaster()
			m.publish(t, conf.Conf{}, zipOf(t, member{name: "resources/a", data: "x"}))
			c := openCache(t, t.TempDir(), m)
			code, err := c.Acquire(t.Context(), topo, "u", Version{})
			if err != nil {
				t.Fatal(err)
			}
			want := treeOf(t, code.Dir)
			if err := damage(code.Dir); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Acquire(t.Context(), topo, "u", Version{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, treeOf(t, code.Dir)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if n := m.reads[client.JarKey(topo)]; n != 2 {
				t.Errorf("%d downloads", n)
			}
		})
	}
}

func TestNewVersionTakesThePlaceOfTheOld(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{"v": int64(1)}, zipOf(t, member{name: "resources/a", data: "x"}))
	c := openCache(t, t.TempDir(), m)
	if _, err := c.Acquire(t.Context(), topo, "6700", Version{}); err != nil {
		t.Fatal(err)
	}
	m.publish(t, conf.Conf{"v": int64(2)}, zipOf(t, member{name: "resources/b", data: "x"}))
	code, err := c.Acquire(t.Context(), topo, "6701", Version{})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := code.Conf.Int("v"); v != 2 {
		t.Errorf("conf is version %d", v)
	}
	if diff := cmp.Diff([]string{"resources", "resources/b", codeName, confName, jarName}, names(t, code.Dir)); diff != "" {
		t.Error(diff)
	}
	if left := names(t, c.cfg.Dir); strings.Contains(strings.Join(left, " "), ".tmp") {
		t.Errorf("left over: %v", left)
	}
}

func TestLastUserTakesTheDirectory(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, nil)
	dir := t.TempDir()
	c := openCache(t, dir, m)
	for _, u := range []string{"6700", "6701"} {
		if _, err := c.Acquire(t.Context(), topo, u, Version{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		user string
		left bool
	}{{"6700", true}, {"6700", true}, {"stranger", true}, {"6701", false}, {"6701", false}} {
		if err := c.Release(topo, step.user); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, topo)); (err == nil) != step.left {
			t.Fatalf("after %s: %v", step.user, err)
		}
	}
	if len(treeOf(t, dir)) != 0 || len(c.entries) != 0 {
		t.Errorf("left: %v, %v", treeOf(t, dir), c.entries)
	}
}

func TestSweepKeepsWhatIsHeld(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, nil)
	dir := t.TempDir()
	if _, err := openCache(t, dir, m).Acquire(t.Context(), topo, "u", Version{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"gone-1-1", "planned-1-1"} {
		if err := os.MkdirAll(filepath.Join(dir, id, "resources"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := openCache(t, dir, m)
	c.Hold(topo, "u")
	if err := c.Sweep(func(id string) bool { return id == "planned-1-1" }); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != topo || left[1].Name() != "planned-1-1" {
		t.Fatalf("left %v, %v", left, err)
	}
}

func TestOneDownloadServesAll(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, nil)
	c := openCache(t, t.TempDir(), m)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := c.Acquire(t.Context(), topo, fmt.Sprint(i), Version{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := m.reads[client.CodeKey(topo)]; n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestNextWaiterGoesOnWhenTheFirstGivesUp(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, nil)
	m.hold = make(chan struct{})
	c := openCache(t, t.TempDir(), m)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Acquire(ctx, topo, "first", Version{}); !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
		close(m.hold)
	})
	wg.Go(func() {
		for { // until the first is inside
			m.mu.Lock()
			n := m.reads[client.ConfKey(topo)]
			m.mu.Unlock()
			if n > 0 {
				break
			}
		}
		wg.Go(cancel)
		if _, err := c.Acquire(t.Context(), topo, "second", Version{}); err != nil {
			t.Errorf("second: %v", err)
		}
	})
	wg.Wait()
}

func TestUsersComeAndGo(t *testing.T) {
	m := newMaster()
	m.publish(t, conf.Conf{}, zipOf(t, member{name: "resources/a", data: "x"}))
	c := openCache(t, t.TempDir(), m)
	var wg sync.WaitGroup
	for u := range 4 {
		wg.Go(func() {
			for range 15 {
				code, err := c.Acquire(t.Context(), topo, fmt.Sprint(u), Version{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.ReadFile(filepath.Join(code.Dir, "resources", "a")); err != nil {
					t.Errorf("not there while held: %v", err)
				}
				if err := c.Release(topo, fmt.Sprint(u)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if left := treeOf(t, c.cfg.Dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
