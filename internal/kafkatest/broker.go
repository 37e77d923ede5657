package kafkatest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
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

	mu    sync.Mutex
	cmd   *exec.Cmd // nil while it does not run
	ended <-chan struct{}
}

// Need skips the test where no broker can be started, or fails it when CI=true.
func Need(t testing.TB) {
	t.Helper()
	if _, _, err := testserver.Find("kafka"); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
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
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	// A free port may be taken by another process before the broker has it, so a start is tried again.
	for tries := 3; ; tries-- {
		b, err := start(ctx, c, java, jars)
		if err == nil {
			return b, nil
		}
		if tries == 1 || ctx.Err() != nil {
			return nil, err
		}
	}
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
	cmd := b.jvm("64m", "kafka.tools.StorageTool", "format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", b.config())
	out, err := os.Create(filepath.Join(b.dir, "format.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	ended, err := b.launch.Start(cmd)
	if err != nil {
		return fmt.Errorf("format Kafka's storage: %w", err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		cmd.Process.Kill()
		<-ended
		return ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("format Kafka's storage: %s", tail(out.Name()))
	}
	return nil
}

func (b *Broker) config() string { return filepath.Join(b.dir, "server.properties") }

func (b *Broker) jvm(heap string, args ...string) *exec.Cmd {
	return exec.Command(b.java, append([]string{"-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Xshare:auto", "-cp", filepath.Join(b.jars, "*")}, args...)...)
}

// broker is the command of the broker itself.
func (b *Broker) broker() *exec.Cmd {
	if !b.measured {
		return b.jvm("384m", "kafka.Kafka", b.config())
	}
	return exec.Command(b.java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", filepath.Join(b.jars, "*"), "kafka.Kafka", b.config())
}

// PID is the broker's process, 0 while it does not run.
func (b *Broker) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return 0
	}
	return b.cmd.Process.Pid
}

// Addr is where clients connect.
func (b *Broker) Addr() string { return b.addr }

// Kill ends the broker as a power cut would (SIGKILL) and waits until it is gone. Its files stay.
func (b *Broker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		b.cmd.Process.Kill()
		<-b.ended
		b.cmd = nil
	}
}

// Restart starts the broker on its files and its address, after a Kill if it runs, and waits until it serves.
func (b *Broker) Restart(ctx context.Context) error {
	b.Kill()
	log, err := os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := b.broker()
	cmd.Stdout, cmd.Stderr = log, log
	b.mu.Lock()
	ended, err := b.launch.Start(cmd)
	if err == nil {
		b.cmd, b.ended = cmd, ended
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return b.waitServing(ctx, ended)
}

// waitServing waits until the broker answers.
func (b *Broker) waitServing(ctx context.Context, ended <-chan struct{}) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := client.Ping(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("Kafka ended by itself: %s", tail(filepath.Join(b.dir, "log")))
		case <-ctx.Done():
			return fmt.Errorf("Kafka does not serve: %w: %s", ctx.Err(), tail(filepath.Join(b.dir, "log")))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop kills the broker and removes the folder that Start made. It may be called twice.
func (b *Broker) Stop() {
	b.Kill()
	b.launch.Stop()
	if b.ownDir {
		os.RemoveAll(b.dir)
	}
}

// tail is the end of a log.
func tail(path string) string {
	const most = 2000
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
