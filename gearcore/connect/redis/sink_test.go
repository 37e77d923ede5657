package redis

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
	"github.com/gearstorm/gearstorm/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what happens elsewhere.
const patience = 2 * time.Minute

func client(t *testing.T, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

var runs atomic.Int64

// checkSink has the harness check that a list gets each record once, and a counter of each task's each increment.
func checkSink(t *testing.T, addr string, seed uint64) {
	key := fmt.Sprintf("run%d", runs.Add(1))
	c := client(t, addr)
	visible := func(t testing.TB) []string {
		all, err := c.LRange(t.Context(), key, 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	connecttest.SinkTest{
		New: func(t testing.TB, _ int) (gearcore.Task, func()) {
			w := &connecttest.Wire{}
			s, err := NewSink(SinkOptions{ID: key, ChunkCommands: 3,
				Redis: redis.UniversalOptions{Addrs: []string{addr}, Dialer: w.Dial, MaxRetries: -1},
				Commands: func(t gearcore.Tuple, c *Commands) error {
					c.RPush(key, t.String(0))
					c.HIncrBy(key+"-sums", "n", 1)
					return nil
				},
				Outbox: outbox.Options{Dir: t.TempDir(), MemoryBytes: 40, CloseTimeout: 20 * time.Millisecond}})
			if err != nil {
				t.Fatal(err)
			}
			return s, func() { w.Cut(); s.Close() }
		},
		Visible: visible,
		Steps:   80,
	}.Run(t, seed)
	if n, err := c.HGet(t.Context(), key+"-sums", "n").Int(); err != nil || n != len(visible(t)) {
		t.Errorf("seed %d: the sum is %d (%v), there are %d records", seed, n, err, len(visible(t)))
	}
}

func TestSinkExactlyOnce(t *testing.T) {
	s := miniredis.RunT(t)
	for seed := range uint64(10) {
		checkSink(t, s.Addr(), seed)
	}
}

func TestSinkExactlyOnceWithARealServer(t *testing.T) {
	addr := redistest.New(t).Addr()
	for seed := range uint64(6) {
		checkSink(t, addr, 100+seed)
	}
}

// begin restores a sink of one task.
func begin(t *testing.T, addr string, chunk int, v gearcore.Vault, parts ...gearcore.TaskPart) (*Sink, *connecttest.Executor) {
	t.Helper()
	s, err := NewSink(SinkOptions{ID: "id", ChunkCommands: chunk, Redis: redis.UniversalOptions{Addrs: []string{addr}},
		Commands: func(t gearcore.Tuple, c *Commands) error {
			c.Do(t.String(0), t.String(1), strings.Fields(t.String(2))...)
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	e := connecttest.NewExecutor(0, 1, "command", "key", "args")
	if err := s.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	if err := connecttest.Restore(s, v, parts...); err != nil {
		t.Fatal(err)
	}
	return s, e
}

// An epoch that was applied half way goes on where it was.
func TestEpochInPieces(t *testing.T) {
	server := miniredis.RunT(t)
	c, v := client(t, server.Addr()), connecttest.NewVault()
	s, e := begin(t, server.Addr(), 2, v)
	for range 5 {
		s.Execute(e.Tuple("INCRBY", "sum", "1"), e.C)
	}
	part := connecttest.Part(t, s, 1, v)
	p := s.target
	// The first piece by hand, as if the task had ended behind it.
	if err := p.apply(t.Context(), &chunk{id: "id-0", batch: outbox.Batch{Number: 1, Epoch: 1, Count: 5}, count: 2, keys: []string{"sum", "sum"},
		words: []any{3, "INCRBY", "sum", "1", 3, "INCRBY", "sum", "1"}}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Get(t.Context(), "sum").Int(); n != 2 {
		t.Fatalf("the sum is %d (%v)", n, err)
	}
	begin(t, server.Addr(), 3, v, part)
	if n, err := c.Get(t.Context(), "sum").Int(); n != 5 {
		t.Errorf("the sum is %d (%v)", n, err)
	}
	if got := c.HGetAll(t.Context(), "id-0").Val(); got["number"] != "1" || got["epoch"] != "1" || got["partial"] != "" {
		t.Errorf("the hash is %v", got)
	}
}

func TestReplacedSinkIsFenced(t *testing.T) {
	server := miniredis.RunT(t)
	err := connecttest.Replaced(t, func(v gearcore.Vault, parts ...gearcore.TaskPart) (connecttest.TwoPhase, *connecttest.Executor) {
		return begin(t, server.Addr(), 2, v, parts...)
	}, "INCRBY", "sum", "1")
	if !errors.Is(err, outbox.ErrFenced) {
		t.Errorf("error %v", err)
	}
	if n, err := client(t, server.Addr()).Get(t.Context(), "sum").Int(); n != 1 {
		t.Errorf("the sum is %d (%v)", n, err)
	}
}

// A command that Redis refuses is reported and holds up nothing.
func TestRefusedCommand(t *testing.T) {
	server := miniredis.RunT(t)
	c, v := client(t, server.Addr()), connecttest.NewVault()
	s, e := begin(t, server.Addr(), 10, v)
	for _, words := range [][]any{{"SET", "text", "x"}, {"INCRBY", "text", "1"}, {"HSET", "h", "f v"}, {"SADD", "s", "m"}} {
		s.Execute(e.Tuple(words...), e.C)
	}
	connecttest.Part(t, s, 1, v)
	s.Commit(1)
	for end := time.Now().Add(patience); s.box.Waiting() > 0 || len(e.Errors) == 0; e.Run() {
		if time.Now().After(end) {
			t.Fatalf("%d wait, errors %v", s.box.Waiting(), e.Errors)
		}
	}
	if len(e.Errors) != 1 || !strings.Contains(e.Errors[0].Error(), "INCRBY text") {
		t.Errorf("errors %v", e.Errors)
	}
	if c.HGet(t.Context(), "h", "f").Val() != "v" || !c.SIsMember(t.Context(), "s", "m").Val() {
		t.Error("what came behind it is missing")
	}
}

func TestCommands(t *testing.T) {
	var c Commands
	c.Set("k", "")
	c.HSet("h", "f", "\x00v")
	c.IncrBy("n", -3)
	c.HIncrBy("h", "n", 4)
	c.SAdd("s", "m")
	from := 0
	var got []string
	for _, end := range c.ends {
		words, err := parseCommand(c.buf[from:end])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(words, "|"))
		for n := range end - from {
			if _, err := parseCommand(c.buf[from : from+n]); !errors.Is(err, outbox.ErrDamaged) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		from = end
	}
	if want := "SET|k| HSET|h|f|\x00v INCRBY|n|-3 HINCRBY|h|n|4 SADD|s|m"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
	if c.Do("DEL", "k", make([]string, maxArgs+1)...); c.err == nil {
		t.Error("a command may have any number of arguments")
	}
	for _, o := range []SinkOptions{{}, {Redis: redis.UniversalOptions{Addrs: []string{"a"}}}} {
		if o.Validate() == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// While Redis has no memory nothing counts as done, also where some commands of an epoch would need none.
func TestRedisWithoutMemory(t *testing.T) {
	addr := redistest.New(t).Addr()
	c, v := client(t, addr), connecttest.NewVault()
	s, e := begin(t, addr, 10, v)
	for _, words := range [][]any{{"SET", "k", "x"}, {"EXPIRE", "k", "1000"}, {"INCRBY", "n", "1"}} {
		s.Execute(e.Tuple(words...), e.C)
	}
	connecttest.Part(t, s, 1, v)
	if err := c.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	s.Commit(1)
	wait := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !done(); e.Run() {
			if time.Now().After(end) {
				t.Fatalf("%s: %d wait, errors %v", what, s.box.Waiting(), e.Errors)
			}
		}
	}
	wait("an error", func() bool { return len(e.Errors) > 0 })
	if !strings.Contains(e.Errors[0].Error(), "OOM") || s.box.Waiting() != 1 {
		t.Errorf("%d wait, error %v", s.box.Waiting(), e.Errors[0])
	}
	if err := c.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	wait("the epoch", func() bool { return s.box.Waiting() == 0 })
	if k, n := c.Get(t.Context(), "k").Val(), c.Get(t.Context(), "n").Val(); k != "x" || n != "1" {
		t.Errorf("k is %q, n is %q", k, n)
	}
}
