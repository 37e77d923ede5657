package kafka

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// What a child of TestKilledSink is told by its environment.
const (
	childDir    = "KAFKA_TEST_DIR"
	childBroker = "KAFKA_TEST_BROKER"
	childTopic  = "KAFKA_TEST_TOPIC"
	childEpochs = "KAFKA_TEST_EPOCHS" // how many to make; 0: until killed
)

// epochRecords is how many records an epoch of a child has.
const epochRecords = 20

// record of a checkpoint that counts, in the file "commit" of the child's folder.
type commitRecord struct {
	Epoch uint64              `json:"epoch"`
	At    int                 `json:"at"` // records before it
	Parts []gearcore.TaskPart `json:"parts"`
}

// folder is a gearcore.Vault of files.
type folder string

func (f folder) Put(_ context.Context, name string, content io.Reader) (gearcore.File, error) {
	file, err := os.CreateTemp(string(f), name+"-*")
	if err != nil {
		return gearcore.File{}, err
	}
	n, err := io.Copy(file, content)
	return gearcore.File{Name: filepath.Base(file.Name()), Bytes: n}, errors.Join(err, file.Close())
}

func (f folder) Get(_ context.Context, file gearcore.File) (io.ReadCloser, error) {
	data, err := os.ReadFile(filepath.Join(string(f), file.Name))
	return io.NopCloser(bytes.NewReader(data)), err
}

func (f folder) load(t *testing.T) (c commitRecord) {
	data, err := os.ReadFile(filepath.Join(string(f), "commit"))
	if errors.Is(err, fs.ErrNotExist) {
		return commitRecord{}
	}
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// store makes c count.
func (f folder) store(t *testing.T, c commitRecord) {
	data, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(string(f), "new"), data, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(string(f), "new"), filepath.Join(string(f), "commit"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestChildSink is the process that TestKilledSink kills: a sink with a source before it that counts, and their checkpoints.
func TestChildSink(t *testing.T) {
	dir := folder(os.Getenv(childDir))
	if dir == "" {
		t.Log("this is a part of TestKilledSink")
		return
	}
	task, err := NewSink(SinkOptions{Cluster: Cluster{Brokers: []string{os.Getenv(childBroker)}}, Topic: os.Getenv(childTopic), ID: os.Getenv(childTopic)})
	if err != nil {
		t.Fatal(err)
	}
	s, e := task.(*Sink), connecttest.NewExecutor(0, 1, "message")
	c := dir.load(t)
	if err := s.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(&gearcore.Recovery{Epoch: c.Epoch, Parts: c.Parts, Tasks: 1, Vault: dir}); err != nil {
		t.Fatal(err)
	}
	epochs, err := strconv.Atoi(os.Getenv(childEpochs))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; epochs == 0 || n <= epochs; n++ {
		c = oneEpoch(t, dir, s, e, c)
		s.Commit(c.Epoch)
		for s.box.Waiting() > 1 {
			time.Sleep(time.Millisecond)
		}
	}
	s.Close()
}

// oneEpoch executes the records of an epoch behind c and makes a checkpoint that counts.
func oneEpoch(t *testing.T, dir folder, s *Sink, e *connecttest.Executor, c commitRecord) commitRecord {
	for range epochRecords {
		if err := s.Execute(e.Tuple(strconv.Itoa(c.At)), e.C); err != nil {
			t.Fatal(err)
		}
		c.At++
	}
	c.Epoch++
	frozen, err := s.Freeze(c.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	part, err := frozen.Save(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Parts = []gearcore.TaskPart{{Part: part}}
	fmt.Println("saved", c.Epoch)
	dir.store(t, c)
	fmt.Println("counts", c.Epoch)
	return c
}

// A sink that is killed between its checkpoint and its transaction, or within that, a hundred times, loses nothing and writes nothing
// twice.
func TestKilledSink(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 10
	}
	b := realBroker(t)
	brokers := []string{b.Addr()}
	topic, dir := newTopic(t, brokers, 3), t.TempDir()
	seed := uint64(12)
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SEED: %v", err)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 12))
	begin, killed, longest := time.Now(), time.Time{}, time.Duration(0)
	for range kills {
		counts, at := killChild(t, b.Addr(), topic, dir, rng)
		if !killed.IsZero() && !counts.IsZero() {
			longest = max(longest, counts.Sub(killed))
		}
		if killed.IsZero() || !counts.IsZero() { // else it goes on to be away
			killed = at
		}
	}
	if out, err := child(t, b.Addr(), topic, dir, 1).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := folder(dir).load(t).At
	seen := map[string]int{}
	twice, strange := 0, 0
	for _, v := range newReader(t, brokers, topic).read(t) {
		if seen[v]++; seen[v] > 1 {
			twice++
		}
		if n, err := strconv.Atoi(v); err != nil || n >= want {
			strange++
		}
	}
	verdict := "ok"
	if len(seen) != want || twice > 0 || strange > 0 {
		verdict = fmt.Sprintf("FAILED: %d of %d records are there, %d of them twice, %d that never counted", len(seen), want, twice, strange)
		t.Error(verdict)
	}
	t.Logf("%d kills in %.1f s: %d records", kills, time.Since(begin).Seconds(), want)
	fmt.Printf("fault 12 sink lost=%d duplicated=%d recovery=%.1fs seed=%d %s\n", want-len(seen), twice, longest.Seconds(), seed, verdict)
}

func child(t *testing.T, broker, topic, dir string, epochs int) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildSink$", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childBroker+"="+broker, childTopic+"="+topic, childEpochs+"="+strconv.Itoa(epochs))
	return cmd
}

// killChild runs a child and kills it at some moment after it said something. It returns when the first checkpoint of the child counted, if
// one did, and when it was killed.
func killChild(t *testing.T, broker, topic, dir string, rng *rand.Rand) (counts, killed time.Time) {
	cmd := child(t, broker, topic, dir, 0)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, last := 0, ""
	after := 1 + rng.IntN(8)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		if !strings.HasPrefix(last, "saved ") && !strings.HasPrefix(last, "counts ") {
			break
		}
		if counts.IsZero() && strings.HasPrefix(last, "counts ") {
			counts = time.Now()
		}
		if said++; said == after {
			time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond) // anywhere in the transaction
			killed = time.Now()
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || said < after {
		t.Fatalf("the child ended by itself: %v, %s", err, last)
	}
	return counts, killed
}
