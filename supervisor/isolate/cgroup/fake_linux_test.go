package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/cgroups"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// write makes files below a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fakeV2 is a tree that looks like version 2 and passes on some controllers.
func fakeV2(t *testing.T, passed string) Options {
	t.Helper()
	cgroups.TestMode = true
	t.Cleanup(func() { cgroups.TestMode = false })
	o := Options{Name: "storm", Node: "n1", Root: t.TempDir()}
	files := map[string]string{
		"proc/self/mounts": "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n",
		"proc/self/cgroup": "0::/user.slice/session.scope\n",
	}
	for _, dir := range []string{"", "storm/", "storm/n1/"} {
		files["sys/fs/cgroup/"+dir+"cgroup.controllers"] = passed
		files["sys/fs/cgroup/"+dir+"cgroup.subtree_control"] = passed
	}
	files["sys/fs/cgroup/storm/n1/w1/cgroup.controllers"] = passed // the kernel makes it
	files["sys/fs/cgroup/user.slice/session.scope/cgroup.controllers"] = ""
	write(t, o.Root, files)
	o.Dir = filepath.Join(o.Root, "sys/fs/cgroup")
	return o
}

// limitsIn reads what was written for a worker.
func limitsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "cgroup.controllers" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(text)
	}
	return got
}

var all = isolate.Limits{CPU: 150, CPUCap: 80, MemoryBytes: 64 << 20, MemoryHighBytes: 32 << 20, Pids: 100}

func TestFilesOfVersion2(t *testing.T) {
	for name, c := range map[string]struct {
		passed string
		want   map[string]string
	}{
		"all": {"cpu memory pids", map[string]string{"cpu.weight": "150", "cpu.max": "80000 100000", "memory.max": "67108864",
			"memory.swap.max": "0", "memory.high": "33554432", "memory.oom.group": "1", "pids.max": "100"}},
		"memory only": {"memory", map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "memory.high": "33554432", "memory.oom.group": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := fakeV2(t, c.passed)
			i, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, controller := range wanted {
				if i.has(controller) != strings.Contains(c.passed, controller) {
					t.Errorf("%s: missing %q", controller, i.Missing())
				}
			}
			if _, err := i.Cage("w1", all); err != nil {
				t.Fatal(err)
			}
			got := limitsIn(t, filepath.Join(o.Dir, "storm", "n1", "w1"))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The directory that nodes share weighs what they may use, not what one process does.
func TestWeightOfAll(t *testing.T) {
	o := fakeV2(t, "cpu memory pids")
	o.All.CPU = 400
	i, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Cage("w1", all); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"storm", "storm/n1"} {
		if got, err := readSmall(filepath.Join(o.Dir, dir, "cpu.weight")); got != "400" {
			t.Errorf("%s has the weight %q, %v", dir, got, err)
		}
	}
}

func TestProcessorLeftOut(t *testing.T) {
	o := fakeV2(t, "cpu memory pids")
	o.NoCPU = true
	i, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Cage("w1", all); err != nil {
		t.Fatal(err)
	}
	if got := i.Missing(); len(got) != 1 || got["cpu"] != noCPU {
		t.Errorf("missing %q", got)
	}
	if got := limitsIn(t, filepath.Join(o.Dir, "storm", "n1", "w1")); got["cpu.weight"]+got["cpu.max"] != "" || got["pids.max"] != "100" {
		t.Errorf("limits %q", got)
	}
}

func TestDiskRateOfVersion2(t *testing.T) {
	o := fakeV2(t, "io memory")
	device, err := diskOf(o.Root)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	o.Disk = o.Root
	i, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Cage("w1", isolate.Limits{DiskBytesPerSec: 1000}); err != nil {
		t.Fatal(err)
	}
	// Reads are written first, and a file of the test keeps the last line only.
	if got, want := limitsIn(t, filepath.Join(o.Dir, "storm", "n1", "w1"))["io.max"], device+" wbps=1000"; got != want {
		t.Errorf("io.max %q, want %q", got, want)
	}
}

func TestNothingPassedOn(t *testing.T) {
	o := fakeV2(t, "")
	write(t, o.Dir, map[string]string{"cgroup.controllers": "cpu"})
	if _, err := Open(o); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestHosts(t *testing.T) {
	v1 := "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n"
	for name, c := range map[string]struct {
		mounts, own, controllers string
		unified                  bool
		want                     host
	}{
		"none": {"proc /proc proc rw 0 0\n", "", "", false, host{v1: map[string]string{}, own: map[string]string{}}},
		"version 1": {v1, "4:memory:/a/b\n3:cpu,cpuacct:/\n", "", false, host{
			v1:  map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory", "pids": "/sys/fs/cgroup/pids"},
			own: map[string]string{"memory": "/a/b", "cpu": "/", "cpuacct": "/"}}},
		"version 2": {"x /sys/fs/cgroup cgroup2 rw 0 0\n", "0::/s.service\n", "cpu memory pids io", true, host{
			v1: map[string]string{}, v2: "/sys/fs/cgroup", controllers: []string{"cpu", "memory", "pids", "io"}, own: map[string]string{"": "/s.service"}}},
		"both, 2 without controllers": {v1 + "x /sys/fs/cgroup cgroup2 rw 0 0\n", "0::/\n", "", false, host{
			v1: map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory", "pids": "/sys/fs/cgroup/pids"},
			v2: "/sys/fs/cgroup", own: map[string]string{"": "/"}}},
		"both, 1 without memory": {"cgroup /c cgroup rw,cpu 0 0\nx /sys/fs/cgroup cgroup2 rw 0 0\n", "0::/\n", "memory pids", true, host{
			v1: map[string]string{"cpu": "/c"}, v2: "/sys/fs/cgroup", controllers: []string{"memory", "pids"}, own: map[string]string{"": "/"}}},
		"odd lines": {"x\ny /m\\040nt cgroup2 rw 0 0\n", "odd\n1:x\n0::../../x\n", "", false, host{v1: map[string]string{}, v2: "/m nt", own: map[string]string{"": "/x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, map[string]string{"proc/self/mounts": c.mounts, "proc/self/cgroup": c.own})
			if c.controllers != "" {
				write(t, root, map[string]string{"sys/fs/cgroup/cgroup.controllers": c.controllers})
			}
			got, err := readHost(root)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range got.v1 {
				got.v1[k] = strings.TrimPrefix(v, root)
			}
			got.v2 = strings.TrimPrefix(got.v2, root)
			if len(got.controllers) == 0 {
				got.controllers = nil
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(host{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.unified() != c.unified {
				t.Errorf("unified %v", got.unified())
			}
		})
	}
	if _, err := Open(Options{Name: "storm", Node: "n", Root: t.TempDir()}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a machine without /proc: %v", err)
	}
}

func TestWeights(t *testing.T) {
	for points, want := range map[float64][2]uint64{0: {0, 0}, -1: {0, 0}, 0.1: {1, 2}, 10: {10, 102}, 100: {100, 1024}, 400: {400, 4096}, 1e9: {10000, 262144}} {
		if got := [2]uint64{weight(points), shares(points)}; got != want {
			t.Errorf("%v points: %v, want %v", points, got, want)
		}
	}
}
