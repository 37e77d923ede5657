package integration

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// lossyDisk is a file system over a folder that keeps, when the power fails, of each file what was there at its last fsync, and
// nothing of a file that never had one. Names are kept as they are: that is the order in which a journal writes.
type lossyDisk struct {
	back, point, source string
	server              *fuse.Server

	mu   sync.Mutex
	kept map[uint64][]byte // by inode of the folder below
}

// mountLossy mounts a lossy disk at point. source is the name that it is found by if this process is killed.
func mountLossy(t *testing.T, point, source string) *lossyDisk {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		missing(t, "fault 14 needs FUSE: %v", err)
	}
	if os.Geteuid() != 0 {
		missing(t, "fault 14 needs root, to mount")
	}
	d := &lossyDisk{back: t.TempDir(), point: point, source: source, kept: map[uint64][]byte{}}
	if err := os.MkdirAll(point, 0o700); err != nil {
		t.Fatal(err)
	}
	d.mount(t)
	t.Cleanup(func() {
		if d.server != nil {
			d.unmount(t)
		}
	})
	return d
}

func (d *lossyDisk) mount(t *testing.T) {
	t.Helper()
	root := &fusefs.LoopbackRoot{Path: d.back, NewNode: func(root *fusefs.LoopbackRoot, _ *fusefs.Inode, _ string, _ *syscall.Stat_t) fusefs.InodeEmbedder {
		return &lossyNode{LoopbackNode: fusefs.LoopbackNode{RootData: root}, disk: d}
	}}
	top := &lossyNode{LoopbackNode: fusefs.LoopbackNode{RootData: root}, disk: d}
	root.RootNode = top
	var err error
	d.server, err = fusefs.Mount(d.point, top, &fusefs.Options{MountOptions: fuse.MountOptions{FsName: d.source, Name: "lossy", DirectMountStrict: true}})
	if err != nil {
		t.Fatalf("mount a lossy disk: %v", err)
	}
}

func (d *lossyDisk) unmount(t *testing.T) {
	t.Helper()
	var err error
	for range 100 { // a killed process may still hold it for a moment
		if err = d.server.Unmount(); err == nil {
			d.server = nil
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("unmount the lossy disk: %v", err)
}

// lossyNode notes what is in a file at its fsync.
type lossyNode struct {
	fusefs.LoopbackNode
	disk *lossyDisk
}

// Fsync implements fusefs.NodeFsyncer.
func (n *lossyNode) Fsync(_ context.Context, f fusefs.FileHandle, _ uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	path := filepath.Join(n.disk.back, n.Path(nil))
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return fusefs.ToErrno(err)
	}
	b, err := os.ReadFile(path)
	if err == nil {
		n.disk.kept[inode(info)] = b
	}
	return fusefs.ToErrno(err)
}

func inode(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// failPower takes the disk away and brings it back with what a loss of power leaves. It returns how many files lost
// something. Nobody may use the disk.
func (d *lossyDisk) failPower(t *testing.T) (lost int) {
	t.Helper()
	d.unmount(t)
	err := filepath.WalkDir(d.back, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if kept := d.kept[inode(info)]; string(kept) != string(now) {
			lost++
			return os.WriteFile(path, kept, 0o600)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.mount(t)
	return lost
}

// The lossy disk does lose what was not synced: a test that cannot fail would prove nothing.
func TestLossyDiskLoses(t *testing.T) {
	dir := t.TempDir()
	d := mountLossy(t, dir, "gearstorm-lossy")
	script := `printf synced >a && sync a && printf lost >>a && printf never >b && printf renamed >c.tmp && sync c.tmp && mv c.tmp c && ln c d`
	if out, err := run(t, 20*time.Second, nil, dir, "sh", "-c", script); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if lost := d.failPower(t); lost != 2 {
		t.Errorf("%d files lost something, want 2", lost)
	}
	out, err := run(t, 20*time.Second, nil, dir, "sh", "-c", `for f in a b c d; do echo "$f=$(cat $f)"; done`)
	if want := "a=synced\nb=\nc=renamed\nd=renamed\n"; err != nil || out != want {
		t.Errorf("after a loss of power: %v, %q, want %q", err, out, want)
	}
}

// 14. Nimbus is killed in the middle of submits and kills, and its disk loses what was not synced. Everything that Nimbus had
// said yes to is so afterwards, and its store opens as it is.
func TestFault14LostWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: kills of Nimbus")
	}
	res := chaos.Result{N: 14, Name: "lost-writes", Seed: faultSeed(t)}
	random := rand.New(rand.NewPCG(res.Seed, 14))
	c := newChaos(t, chaos.Config{Dir: t.TempDir(), Binary: binary})
	n, err := c.AddNimbus()
	if err != nil {
		t.Fatal(err)
	}
	d := mountLossy(t, n.Local, c.Source())
	rounds := 8
	if os.Getenv("GEARSTORM_FAULTS") == "long" {
		rounds = 50
	}
	o := &oracle{t: t, alive: map[string]bool{}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds)*time.Minute)
	defer cancel()
	losses := 0
	for round := range rounds {
		began := time.Now()
		if err := c.LeadingNimbus(ctx); err != nil {
			t.Fatalf("after a loss of power: %v", err)
		}
		res.Recovery = max(res.Recovery, time.Since(began))
		for _, wrong := range o.check(ctx, c) {
			res.Failf("%s", wrong)
		}
		done, first := make(chan struct{}), make(chan struct{})
		nc, err := client.New(client.Options{Seeds: c.Seeds(), Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(done)
			o.change(ctx, nc, round, rand.New(rand.NewPCG(res.Seed, uint64(round))), first)
		}()
		select {
		case <-first:
		case <-done:
			t.Fatal("no submit was acknowledged")
		}
		time.Sleep(time.Duration(30+random.IntN(200)) * time.Millisecond) // somewhere in the middle
		if err := n.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-done
		nc.Close()
		losses += d.failPower(t)
	}
	if err := c.LeadingNimbus(ctx); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range o.check(ctx, c) {
		res.Failf("%s", wrong)
	}
	lost, duplicated := len(res.Failed), uint64(0)
	res.Lost, res.Duplicated = &lost, &duplicated
	fmt.Println(res)
	t.Logf("%d submits and %d kills acknowledged over %d losses of power that %d files felt", o.submits, o.kills, rounds, losses)
	if len(res.Failed) > 0 {
		t.Errorf("%v", res)
	}
	if o.submits == 0 || o.kills == 0 {
		t.Error("nothing was acknowledged, so nothing was shown")
	}
	if err := n.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}
