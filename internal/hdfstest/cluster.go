package hdfstest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/testserver"
)

// Superuser is whom the name node runs as: it may do anything.
const Superuser = "hdfs"

// User is an ordinary user, whose directory is /user/storm.
const User = "storm"

// startLimit is how long all nodes may take until they serve; a busy machine takes some seconds for each JVM.
const startLimit = 5 * time.Minute

// Cluster is a running HDFS. Stop it.
type Cluster struct {
	NameNode, DataNode *Node
	Gateway            *Node // HttpFS, which StartGateway starts

	dir        string
	java, jars string
	launch     *testserver.Launcher
}

// Node is one process of a cluster.
type Node struct {
	cluster *Cluster
	addr    string // of its HTTP; empty for a data node, which takes another port each time
	class   string
	process *testserver.Process
	serves  func(context.Context) error
}

// New starts a cluster for a test, which it skips where none can be started, or fails when CI=true. The cluster is stopped when the test ends.
func New(t testing.TB) *Cluster {
	t.Helper()
	java, jars, err := testserver.Find("hdfs")
	testserver.Need(t, err)
	c, err := testserver.Start(t.Context(), startLimit, func(ctx context.Context) (*Cluster, error) { return start(ctx, java, jars) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

func start(ctx context.Context, java, jars string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "hdfs-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, java: java, jars: jars, launch: testserver.NewLauncher()}
	if err := c.start(ctx); err != nil {
		c.Stop()
		return nil, fmt.Errorf("start HDFS: %w", err)
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	ports, err := testserver.FreePorts(3)
	if err != nil {
		return err
	}
	rpc := loopback(ports[0])
	c.NameNode = c.node("namenode", loopback(ports[1]), "org.apache.hadoop.hdfs.server.namenode.NameNode")
	c.NameNode.serves = c.nameNodeAnswers
	c.DataNode = c.node("datanode", "", "org.apache.hadoop.hdfs.server.datanode.DataNode")
	c.DataNode.serves = c.ready
	c.Gateway = c.node("httpfs", loopback(ports[2]), "org.apache.hadoop.fs.http.server.HttpFSServerWebServer")
	c.Gateway.serves = c.gatewayAnswers
	if err := c.configure(rpc); err != nil {
		return err
	}
	format := testserver.NewProcess(c.launch, filepath.Join(c.dir, "format.log"))
	if err := format.Start(c.jvm(c.NameNode.class, "-format", "-nonInteractive")); err != nil {
		return err
	}
	if err := format.Finish(ctx); err != nil {
		return fmt.Errorf("format the name node: %w", err)
	}
	// the data node waits for its name node by itself
	if err := c.DataNode.process.Start(c.jvm(c.DataNode.class)); err != nil {
		return err
	}
	if err := c.NameNode.Restart(ctx); err != nil {
		return err
	}
	if err := c.DataNode.process.Await(ctx, c.DataNode.serves); err != nil {
		return fmt.Errorf("data node: %w", err)
	}
	return c.makeHome(ctx)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (c *Cluster) node(name, addr, class string) *Node {
	return &Node{cluster: c, addr: addr, class: class, process: testserver.NewProcess(c.launch, filepath.Join(c.dir, name+".log"))}
}

// StartGateway starts the HttpFS gateway and waits until it serves.
func (c *Cluster) StartGateway(ctx context.Context) error { return c.Gateway.Restart(ctx) }

// Stop kills all processes and removes what they wrote. It may be called twice.
func (c *Cluster) Stop() {
	for _, n := range []*Node{c.Gateway, c.DataNode, c.NameNode} {
		if n != nil {
			n.Kill()
		}
	}
	c.launch.Stop()
	os.RemoveAll(c.dir)
}

// Addr is where a name node or gateway serves HTTP.
func (n *Node) Addr() string { return n.addr }

// Kill ends the node as a power cut would (SIGKILL) and waits until it is gone. Its files stay.
func (n *Node) Kill() { n.process.Kill() }

// Restart starts the node on its files, after a Kill if it runs, and waits until it answers. A name node without its data node is in safe mode
// then; a data node answers when the cluster takes writes.
func (n *Node) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := n.process.Start(n.cluster.jvm(n.class))
	if err == nil {
		err = n.process.Await(ctx, n.serves)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.class, err)
	}
	return nil
}

// jvm is a command of Hadoop's.
func (c *Cluster) jvm(class string, args ...string) *exec.Cmd {
	files := []string{c.conf()}
	cmd := testserver.JVM(c.java, c.jars, "128m", files, append([]string{"--add-opens=java.base/java.lang=ALL-UNNAMED", "-Dhttpfs.home.dir=" + c.dir,
		"-Dhttpfs.config.dir=" + c.conf(), "-Dhttpfs.log.dir=" + c.dir, "-Dhttpfs.temp.dir=" + filepath.Join(c.dir, "tmp"), class}, args...)...)
	cmd.Env = append(os.Environ(), "HADOOP_USER_NAME="+Superuser)
	return cmd
}

// Ask makes a request to a node and decodes its answer, which is JSON, into a value; nil: none is wanted.
func (c *Cluster) Ask(ctx context.Context, method, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, a.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(a.Body).Decode(into)
}

// As asks the name node as a user for an operation that has no answer: MKDIRS, SETOWNER, SETQUOTA and others.
func (c *Cluster) As(ctx context.Context, user, path, op string, params url.Values) error {
	q := url.Values{"op": {op}, "user.name": {user}}
	for k, v := range params {
		q[k] = v
	}
	return c.Ask(ctx, http.MethodPut, "http://"+c.NameNode.addr+"/webhdfs/v1"+path+"?"+q.Encode(), nil)
}

// makeHome gives the ordinary user a directory.
func (c *Cluster) makeHome(ctx context.Context) error {
	home := "/user/" + User
	err := c.As(ctx, Superuser, home, "MKDIRS", nil)
	if err == nil {
		err = c.As(ctx, Superuser, home, "SETOWNER", url.Values{"owner": {User}, "group": {User}})
	}
	return err
}

// nameNodeAnswers says whether the name node serves, in safe mode or not.
func (c *Cluster) nameNodeAnswers(ctx context.Context) error {
	return c.Ask(ctx, http.MethodGet, "http://"+c.NameNode.addr+"/webhdfs/v1/?op=LISTSTATUS&user.name="+Superuser, nil)
}

// ready says whether a file can be written: the name node has left its safe mode, which it does not without a data node, and knows where that
// is now.
func (c *Cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	at := "http://" + c.NameNode.addr + "/webhdfs/v1/ready?op=CREATE&overwrite=true&user.name=" + Superuser
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, at, strings.NewReader("x"))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	a, err := http.DefaultClient.Do(r) // it goes on to the data node by itself
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusCreated {
		said, _ := io.ReadAll(io.LimitReader(a.Body, 1000))
		return fmt.Errorf("a write is answered %s: %s", a.Status, said)
	}
	return nil
}

func (c *Cluster) gatewayAnswers(ctx context.Context) error {
	return c.Ask(ctx, http.MethodGet, "http://"+c.Gateway.addr+"/webhdfs/v1/?op=LISTSTATUS&user.name="+User, nil)
}
