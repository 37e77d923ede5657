package cephtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/gearstorm/gearstorm/internal/testserver"
)

// The keys of the only user, and the bucket that is there.
const (
	AccessKey = "storm"
	SecretKey = "secret-of-tests"
	Bucket    = "bucket"
)

// startLimit is how long a cluster may take until it serves.
const startLimit = 5 * time.Minute

// programs are what has to be on the path.
var programs = []string{"ceph", "ceph-mon", "monmaptool", "ceph-osd", "radosgw", "radosgw-admin"}

// Cluster is a running Ceph. Stop it.
type Cluster struct {
	dir          string
	mon, gateway string // addresses
	launch       *testserver.Launcher
	processes    [3]*testserver.Process // monitor, OSD, gateway
}

// New starts a cluster for a test, which it skips where none can be started, or fails when CI=true. The cluster is stopped when the test ends.
func New(t testing.TB) *Cluster {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			testserver.Need(t, fmt.Errorf("%w: %s is not installed (Debian: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw)",
				testserver.ErrMissing, p))
		}
	}
	c, err := testserver.Start(t.Context(), startLimit, start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

func start(ctx context.Context) (*Cluster, error) {
	ports, err := testserver.FreePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ceph-")
	if err != nil {
		return nil, err
	}
	loopback := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	c := &Cluster{dir: dir, mon: loopback(ports[0]), gateway: loopback(ports[1]), launch: testserver.NewLauncher()}
	for i, name := range []string{"mon.log", "osd.log", "gateway.log"} {
		c.processes[i] = testserver.NewProcess(c.launch, filepath.Join(dir, name))
	}
	err = c.make(ctx)
	if err == nil {
		err = c.Restart(ctx)
	}
	if err == nil {
		err = c.makeBucket(ctx)
	}
	if err != nil {
		c.Stop()
		return nil, fmt.Errorf("start Ceph: %w", err)
	}
	return c, nil
}

// make makes a cluster without content but a user. Its monitor and OSD run then.
func (c *Cluster) make(ctx context.Context) error {
	if err := c.configure(); err != nil {
		return err
	}
	monmap := filepath.Join(c.dir, "monmap")
	for _, step := range [][]string{
		{"monmaptool", "--create", "--addv", "a", c.monitors(), "--fsid", fsid, monmap},
		{"ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap},
	} {
		if err := c.once(ctx, step...); err != nil {
			return err
		}
	}
	if err := c.monitor(); err != nil {
		return err
	}
	for _, step := range [][]string{
		{"ceph", "osd", "new", osdID, "0"},
		{"ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osdID},
	} {
		if err := c.once(ctx, step...); err != nil {
			return err
		}
	}
	if err := c.osd(); err != nil {
		return err
	}
	return c.once(ctx, "radosgw-admin", "-n", gateway, "user", "create", "--uid", "storm", "--display-name", "storm",
		"--access-key", AccessKey, "--secret-key", SecretKey)
}

func (c *Cluster) makeBucket(ctx context.Context) error {
	client, err := minio.New(c.gateway, &minio.Options{Creds: credentials.NewStaticV4(AccessKey, SecretKey, "")})
	if err == nil {
		err = client.MakeBucket(ctx, Bucket, minio.MakeBucketOptions{})
	}
	if err != nil {
		return fmt.Errorf("make a bucket: %w", err)
	}
	return nil
}

// command is one of Ceph's programs.
func (c *Cluster) command(args ...string) *exec.Cmd {
	return exec.Command(args[0], append([]string{"-c", c.conf()}, args[1:]...)...)
}

// once runs a program that ends by itself.
func (c *Cluster) once(ctx context.Context, args ...string) error {
	p := testserver.NewProcess(c.launch, filepath.Join(c.dir, "once.log"))
	err := p.Start(c.command(args...))
	if err == nil {
		err = p.Finish(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

func (c *Cluster) monitor() error {
	return c.processes[0].Start(c.command("ceph-mon", "-f", "-i", "a"))
}
func (c *Cluster) osd() error { return c.processes[1].Start(c.command("ceph-osd", "-f", "-i", "0")) }

// URL is where clients of S3 connect.
func (c *Cluster) URL() string { return "http://" + c.gateway }

// KillGateway ends the gateway as a power cut would (SIGKILL) and waits until it is gone. What it was doing is half done.
func (c *Cluster) KillGateway() { c.processes[2].Kill() }

// Kill ends all processes so. Their files stay.
func (c *Cluster) Kill() {
	for _, p := range c.processes {
		p.Kill()
	}
}

// Restart starts what does not run on its files and its addresses, and waits until the gateway answers.
func (c *Cluster) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for i, start := range []func() error{c.monitor, c.osd} {
		if c.processes[i].PID() != 0 {
			continue
		}
		if err := start(); err != nil {
			return err
		}
	}
	p := c.processes[2]
	if err := p.Start(c.command("radosgw", "-f", "-n", gateway)); err != nil {
		return err
	}
	if err := p.Await(ctx, c.answers); err != nil {
		return fmt.Errorf("the gateway: %w", err)
	}
	return nil
}

// answers says whether the gateway does. It shows nobody but that there are no buckets for who says no name.
func (c *Cluster) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL(), nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", a.Status)
	}
	return nil
}

// Stop kills all processes and removes what they wrote. It may be called twice.
func (c *Cluster) Stop() {
	for i := range c.processes {
		c.processes[len(c.processes)-1-i].Kill()
	}
	c.launch.Stop()
	os.RemoveAll(c.dir)
}
