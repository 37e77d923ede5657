package connectors

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
	"github.com/gearstorm/gearstorm/internal/redistest"
	goredis "github.com/redis/go-redis/v9"
)

// What the engine asks of a component before it is opened.
var (
	_ gearcore.Checkpointed = (*fileReader)(nil)
	_ gearcore.Timed        = (*fileReader)(nil)
	_ gearcore.Checkpointed = (*kafkaReader)(nil)
	_ gearcore.Timed        = (*kafkaReader)(nil)
	_ gearcore.Committer    = (*kafkaReader)(nil)
	_ gearcore.Committer    = (*fileWriter)(nil)
	_ gearcore.NoRetain     = (*fileWriter)(nil)
	_ gearcore.Holder       = (*fileAppender)(nil)
	_ gearcore.Committer    = (*kafkaWriter)(nil)
	_ gearcore.NoRetain     = (*kafkaWriter)(nil)
	_ gearcore.Holder       = (*kafkaProducer)(nil)
	_ gearcore.Committer    = (*redisWriter)(nil)
	_ gearcore.NoRetain     = (*redisWriter)(nil)
)

type props = map[string]any

func TestClasses(t *testing.T) {
	for _, c := range []struct {
		class  string
		props  props
		name   string
		fields string
	}{
		{FileSource, props{"paths": []any{"/in/*"}, "follow": true, "poll.ms": int64(50), "framing": "frames"}, FileSource, "line"},
		{FileSource, props{"paths": "/in/a"}, FileSource, "line"},
		{FileSource, props{"paths": "/in/a", "forget.after.ms": int64(30 * 24 * 3600 * 1000)}, FileSource, "line"},
		{FileSink, props{"dir": "/out"}, FileSink, ""},
		{FileSink, props{"dir": "/out", "mode": "at-least-once", "sync.ms": int64(10)}, FileSink + loosely, ""},
		{KafkaSource, props{"bootstrap.servers": "a:1,b:2", "topics": []any{"t"}, "max.poll.records": int64(5), "enable.auto.commit": false}, KafkaSource,
			"key value topic partition offset timestamp"},
		{KafkaSink, props{"bootstrap.servers": "a:1", "topic": "t", "lost": "publish"}, KafkaSink, ""},
		{KafkaSink, props{"bootstrap.servers": "a:1", "topic": "t", "mode": "idempotent"}, KafkaSink + loosely, ""},
		{KafkaSink, props{"bootstrap.servers": "a:1", "topic": "t", "enable.idempotence": false}, KafkaSink + loosely, ""},
		{KafkaSink, props{"bootstrap.servers": "a:1", "topic": "t", "enable.idempotence": false, "mode": "exactly-once"}, KafkaSink, ""},
		{KafkaSource, props{"bootstrap.servers": "a:1", "topics": "t", "lateness.ms": int64(0), "max.ahead.ms": int64(-1), "max.retries": int64(0)}, KafkaSource,
			"key value topic partition offset timestamp"},
		{KafkaSource, props{"bootstrap.servers": "a:1", "topics": "t", "first.poll.offset.strategy": "TIMESTAMP", "start.time.ms": int64(1e12)}, KafkaSource,
			"key value topic partition offset timestamp"},
		{RedisSink, props{"addrs": "a:1", "command": []any{"INCRBY", "{word}", "{n}"}, "db": int64(0)}, RedisSink, ""},
	} {
		got, err := Classes(flux.Class{Name: c.class, Spout: strings.HasSuffix(c.class, "Source"), Properties: c.props})
		if err != nil || got.Name != c.name || strings.Join(got.Streams["default"].Fields, " ") != c.fields {
			t.Errorf("%s %v: %+v, %v", c.class, c.props, got, err)
		}
		if !Known(got.Name) || !Known(c.class) {
			t.Errorf("%s is not known", got.Name)
		}
	}
	if _, err := Classes(flux.Class{Name: "com.example.Spout", Spout: true}); !errors.Is(err, flux.ErrUnknownClass) || Known("com.example.Spout") {
		t.Errorf("a class of others: %v", err)
	}
}

func TestWrongProperties(t *testing.T) {
	for _, c := range []struct {
		class string
		props props
		want  string
	}{
		{FileSource, props{}, "Paths"},
		{FileSource, props{"paths": []any{int64(1)}}, "a list of texts"},
		{FileSource, props{"paths": "a", "folow": true}, "property folow is not known; there are batch, follow, forget.after.ms"},
		{FileSource, props{"paths": "a", "follow": "yes"}, "true or false"},
		{FileSource, props{"paths": "a", "poll.ms": 1.5}, "whole number"},
		{FileSource, props{"paths": "a", "batch": int64(0)}, "whole number from 1 on"},
		{FileSource, props{"paths": "a", "batch": int64(1 << 40)}, "up to 2147483647"},
		{FileSource, props{"paths": "a", "poll.ms": int64(1 << 60)}, "up to 3153600000000"},
		{FileSource, props{"paths": "a", "framing": "json"}, "json"},
		{FileSink, props{"dir": "a", "mode": "twice"}, "twice"},
		{KafkaSource, props{"bootstrap.servers": "a:1"}, "opics"},
		{KafkaSource, props{"bootstrap.servers": "a:1", "topics": "t", "group": "g"}, "property group is not known"},
		{KafkaSource, props{"bootstrap.servers": []any{"a:1"}, "topics": "t"}, "bootstrap.servers"},
		{KafkaSource, props{"bootstrap.servers": "a:1", "topics": "t", "first.poll.offset.strategy": "TIMESTAMP"}, "StartTime"},
		{KafkaSource, props{"bootstrap.servers": "a:1", "topics": "t", "start.time.ms": int64(-1)}, "milliseconds since 1970"},
		{KafkaSink, props{"topic": "t"}, "roker"},
		{KafkaSink, props{"bootstrap.servers": "a:1", "topic": "t", "lost": "earliest"}, "fail, publish and skip"},
		{RedisSink, props{"addrs": "a:1"}, "command"},
		{RedisSink, props{"addrs": "a:1", "command": []any{"DEL", "a"}, "db": int64(-1)}, "whole number from 0 on"},
		{RedisSink, props{"addrs": "a:1", "command": []any{"GET"}}, "command"},
	} {
		if _, err := Classes(flux.Class{Name: c.class, Spout: strings.HasSuffix(c.class, "Source"), Properties: c.props}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want %s", c.class, c.props, err, c.want)
		}
	}
	good := props{"paths": "a"}
	if _, err := Classes(flux.Class{Name: FileSource, Properties: good}); err == nil || !strings.Contains(err.Error(), "wrong list") {
		t.Errorf("a source among bolts: %v", err)
	}
	if _, err := Classes(flux.Class{Name: FileSource, Spout: true, Properties: good, Args: []any{"a"}}); err == nil || !strings.Contains(err.Error(), "not constructor arguments") {
		t.Errorf("arguments: %v", err)
	}
}

func TestUnknownComponents(t *testing.T) {
	var r Registry
	_, e1 := r.Source("x")
	_, e2 := r.Task(FileSource)
	_, e3 := r.Grouping("x")
	for _, err := range []error{e1, e2, e3} {
		if err == nil || !strings.Contains(err.Error(), "own binary") {
			t.Errorf("got %v", err)
		}
	}
}

// opened makes and opens a component with properties.
func opened(t *testing.T, c interface {
	Open(*gearcore.Context, *gearcore.Collector) error
	Close()
}, made error, p props, fields ...string) *connecttest.Executor {
	t.Helper()
	if made != nil {
		t.Fatal(made)
	}
	e := connecttest.NewExecutor(0, 1, fields...)
	e.Context.Conf = map[string]any{Key: p}
	t.Cleanup(c.Close)
	if err := c.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFilesOfProperties(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.WriteFile(in, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := Registry{}.Source(FileSource)
	e := opened(t, source, err, props{"paths": in})
	source.Activate(e.C)
	for range 10 {
		if err := source.Next(e.C); err != nil && !errors.Is(err, gearcore.ErrIdle) {
			t.Fatal(err)
		}
	}
	if len(e.Emitted) != 2 || e.Emitted[1][0].Str() != "b" {
		t.Errorf("emitted %v", e.Emitted)
	}
	sink, err := Registry{}.Task(FileSink + loosely)
	e = opened(t, sink, err, props{"dir": filepath.Join(dir, "out"), "mode": "at-least-once", "sync.tuples": int64(1)}, "line")
	if err := sink.Execute(e.Tuple("x"), e.C); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "out", "*"))
	if len(e.Acked) != 1 || len(files) != 1 {
		t.Errorf("%d acked, files %v, errors %v", len(e.Acked), files, e.Errors)
	}
}

// A component that was not opened can be closed, and says what it lacks.
func TestComponentsWithoutProperties(t *testing.T) {
	type component interface {
		Open(*gearcore.Context, *gearcore.Collector) error
		Close()
	}
	var r Registry
	for _, name := range []string{FileSource, KafkaSource, FileSink, FileSink + loosely, KafkaSink, KafkaSink + loosely, RedisSink} {
		c, err := component(nil), error(nil)
		if c, err = r.Source(name); err != nil {
			c, err = r.Task(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		e := connecttest.NewExecutor(0, 1)
		if err := c.Open(e.Context, e.C); err == nil || !strings.Contains(err.Error(), Key) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

func TestCommandsOfATemplate(t *testing.T) {
	e := connecttest.NewExecutor(0, 1, "word", "n")
	tuple := e.Tuple("cow", int64(3))
	for word, want := range map[string]string{"{word}": "cow", "INCRBY": "INCRBY", "count:{word}:{n}": "count:cow:3", "": "", "{{app}}:{word}": "{app}:cow"} {
		if got, err := filled(word, tuple); err != nil || got != want {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
	for _, word := range []string{"{x}", "{word", "a{}", "{{word}", "{{a}:{word}}"} {
		if got, err := filled(word, tuple); err == nil || !strings.Contains(err.Error(), "word") {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
}

func TestPasswordOfRedis(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	p := props{"addrs": "a:1", "command": []any{"DEL", "{word}"}, "password.file": file}
	if _, err := redisSink(p); err != nil {
		t.Errorf("where the sink does not run: %v", err)
	}
	if _, err := redisHere(p); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("no such file: %v", err)
	}
	for text, want := range map[string]string{"secret\n": "secret", strings.Repeat("x", maxPassword): ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if o, err := redisHere(p); o.Redis.Password != want || (err == nil) != (want != "") {
			t.Errorf("%q, %v", o.Redis.Password, err)
		}
	}
}

// Redis executes the commands of an epoch once its checkpoint counts.
func TestRedisOfProperties(t *testing.T) {
	server := redistest.New(t)
	sink, err := Registry{}.Task(RedisSink)
	e := opened(t, sink, err, props{"addrs": server.Addr(), "command": []any{"INCRBY", "count:{word}", "{n}"}}, "word", "n")
	vault := connecttest.NewVault()
	if err := connecttest.Restore(sink.(gearcore.Checkpointed), vault); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{2, 3} {
		if err := sink.Execute(e.Tuple("cow", n), e.C); err != nil {
			t.Fatal(err)
		}
	}
	connecttest.Part(t, sink.(gearcore.Checkpointed), 1, vault)
	sink.(gearcore.Committer).Commit(1)
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	got := ""
	for end := time.Now().Add(time.Minute); got != "5" && time.Now().Before(end); e.Run() {
		got, _ = client.Get(context.Background(), "count:cow").Result()
	}
	if got != "5" || slices.ContainsFunc(e.Errors, func(err error) bool { return err != nil }) {
		t.Errorf("the count is %q, errors %v", got, e.Errors)
	}
}
