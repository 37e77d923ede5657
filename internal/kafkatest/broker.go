package kafkatest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/internal/testserver"
)

// startLimit is how long a broker may take until it serves; a busy machine takes some seconds for each of two JVMs.
const startLimit = 2 * time.Minute

// Config says what to start.
type Config struct {
	// Dir gets the state and logs. Default: a temporary folder that Stop removes, in memory for a measured broker where the system has such
	// folders.
	Dir string
	// Properties are added to the broker's.
	Properties map[string]string
	// Features are levels that the cluster begins with, as "transaction.version=1". Default: those that are Kafka's own.
	Features []string
	// Measured lets the JVM compile all it can and gives it a heap of 512 MB: the broker starts later and works faster.
	Measured bool
}

// Broker is a running broker. Stop it.
type Broker struct {
	dir        string
	ownDir     bool
	measured   bool
	java, jars string
	addr       string
	launch     *testserver.Launcher
	process    *testserver.Process
}

// Need skips the test where no broker can be started, or fails it when CI=true.
func Need(t testing.TB) {
	t.Helper()
	_, _, err := testserver.Find("kafka")
	testserver.Need(t, err)
}

// New is [Start] for tests that [Need] it: the broker is stopped when the test ends.
func New(t testing.TB, c Config) *Broker {
	t.Helper()
	Need(t)
	b, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// Start starts a broker and waits until it serves. ctx bounds the start only.
func Start(ctx context.Context, c Config) (*Broker, error) {
	java, jars, err := testserver.Find("kafka")
	if err != nil {
		return nil, err
	}
	return testserver.Start(ctx, startLimit, func(ctx context.Context) (*Broker, error) { return start(ctx, c, java, jars) })
}

func start(ctx context.Context, c Config, java, jars string) (*Broker, error) {
	b := &Broker{dir: c.Dir, measured: c.Measured, java: java, jars: jars, launch: testserver.NewLauncher()}
	if b.dir == "" {
		temp := os.MkdirTemp
		if c.Measured {
			temp = func(_, pattern string) (string, error) { return testserver.MkdirMemory(pattern) }
		}
		dir, err := temp("", "kafka-")
		if err != nil {
			return nil, err
		}
		b.dir, b.ownDir = dir, true
	}
	b.process = testserver.NewProcess(b.launch, filepath.Join(b.dir, "log"))
	err := b.prepare(ctx, c)
	if err == nil {
		err = b.Restart(ctx)
	}
	if err != nil {
		b.Stop()
		return nil, err
	}
	return b, nil
}

// prepare writes the broker's configuration and formats its storage.
func (b *Broker) prepare(ctx context.Context, c Config) error {
	ports, err := testserver.FreePorts(2)
	if err != nil {
		return err
	}
	b.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	if err := os.WriteFile(b.config(), properties(b, ports[1], c.Properties), 0o600); err != nil {
		return err
	}
	os.RemoveAll(filepath.Join(b.dir, "data")) // of a try before
	format := testserver.NewProcess(b.launch, filepath.Join(b.dir, "format.log"))
	args := []string{"kafka.tools.StorageTool", "format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", b.config()}
	for _, f := range c.Features {
		args = append(args, "--feature", f)
	}
	err = format.Start(testserver.JVM(b.java, b.jars, "64m", nil, args...))
	if err == nil {
		err = format.Finish(ctx)
	}
	if err != nil {
		return fmt.Errorf("format Kafka's storage: %w", err)
	}
	return nil
}

func (b *Broker) config() string { return filepath.Join(b.dir, "server.properties") }

// broker is the command of the broker itself.
func (b *Broker) broker() *exec.Cmd {
	if !b.measured {
		return testserver.JVM(b.java, b.jars, "384m", nil, "kafka.Kafka", b.config())
	}
	return exec.Command(b.java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", filepath.Join(b.jars, "*"), "kafka.Kafka", b.config())
}

// PID is the broker's process, 0 while it does not run.
func (b *Broker) PID() int { return b.process.PID() }

// Addr is where clients connect.
func (b *Broker) Addr() string { return b.addr }

// Kill ends the broker as a power cut would (SIGKILL) and waits until it is gone. Its files stay.
func (b *Broker) Kill() { b.process.Kill() }

// Restart starts the broker on its files and its address, after a Kill if it runs, and waits until it serves.
func (b *Broker) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := b.process.Start(b.broker())
	if err == nil {
		err = b.process.Await(ctx, b.ping)
	}
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	return nil
}

func (b *Broker) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
}

// Stop kills the broker and removes the folder that Start made. It may be called twice.
func (b *Broker) Stop() {
	b.Kill()
	b.launch.Stop()
	if b.ownDir {
		os.RemoveAll(b.dir)
	}
}
