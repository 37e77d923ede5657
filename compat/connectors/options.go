package connectors

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/file"
	"github.com/gearstorm/gearstorm/gearcore/connect/kafka"
	"github.com/gearstorm/gearstorm/gearcore/connect/redis"
)

func fileSource(from map[string]any) (o file.SourceOptions, err error) {
	p := readProperties(from)
	p.texts("paths", &o.Paths)
	p.flag("follow", &o.Follow)
	p.millis("poll.ms", 1, &o.Poll)
	p.millis("forget.after.ms", 1, &o.ForgetAfter)
	named(p, "framing", &o.Framing)
	p.number("max.record.bytes", 1, &o.MaxRecord)
	named(p, "too.long", &o.TooLong)
	named(p, "truncated", &o.Truncated)
	p.number("batch", 1, &o.Batch)
	return o, p.end(func() error { return o.Validate() })
}

func fileSink(from map[string]any) (o file.SinkOptions, err error) {
	p := readProperties(from)
	p.text("dir", &o.Dir)
	p.text("name", &o.Name)
	p.text("suffix", &o.Suffix)
	named(p, "mode", &o.Mode)
	named(p, "existing", &o.Existing)
	named(p, "lost", &o.Lost)
	named(p, "framing", &o.Framing)
	p.millis("sync.ms", 1, &o.SyncEvery)
	p.number("sync.tuples", 1, &o.SyncTuples)
	return o, p.end(func() error { return o.Validate() })
}

func kafkaSource(from map[string]any) (o kafka.SourceOptions, err error) {
	p := readProperties(from)
	p.texts("topics", &o.Topics)
	named(p, "lost", &o.Lost)
	p.millis("lost.after.ms", 1, &o.LostAfter)
	p.moment("start.time.ms", &o.StartTime)
	p.millis("lateness.ms", 0, &o.Lateness)
	ahead := int64(0)
	p.whole("max.ahead.ms", -1, mostMillis, &ahead)
	o.MaxAhead = time.Duration(ahead) * time.Millisecond
	p.millis("idle.after.ms", 1, &o.IdleAfter)
	p.number("max.retries", 0, &o.MaxRetries)
	p.others(o.SetProperties)
	return o, p.end(func() error { return o.Validate() })
}

func kafkaSink(from map[string]any) (o kafka.SinkOptions, err error) {
	p := readProperties(from)
	p.text("topic", &o.Topic)
	named(p, "mode", &o.Mode)
	named(p, "lost", &o.Outbox.Lost)
	p.others(o.SetProperties)
	return o, p.end(func() error { return o.Validate() })
}

// passwordFile is the property with the file that has a password, of at most maxPassword bytes.
const (
	passwordFile = "password.file"
	maxPassword  = 4 << 10
)

func redisSink(from map[string]any) (o redis.SinkOptions, err error) {
	p := readProperties(from)
	p.texts("addrs", &o.Redis.Addrs)
	p.text("username", &o.Redis.Username)
	var path string
	p.text(passwordFile, &path)
	p.number("db", 0, &o.Redis.DB)
	p.text("id", &o.ID)
	p.number("chunk.commands", 1, &o.ChunkCommands)
	named(p, "lost", &o.Outbox.Lost)
	var words []string
	p.texts("command", &words)
	if len(words) < 2 {
		p.errs = append(p.errs, errors.New("property command is missing or too short: want a list of a command and its key at least, as [INCRBY, \"{word}\", \"{count}\"]"))
	} else {
		o.Commands = template(words).add
	}
	return o, p.end(func() error { return o.Validate() })
}

// redisHere is redisSink where the sink runs: with the password, which is in a file there.
func redisHere(from map[string]any) (redis.SinkOptions, error) {
	o, err := redisSink(from)
	path, ok := from[passwordFile].(string)
	if err != nil || !ok || path == "" {
		return o, err
	}
	f, err := os.Open(path)
	if err != nil {
		return o, fmt.Errorf("property %s: %w", passwordFile, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err == nil && len(b) == maxPassword {
		err = fmt.Errorf("%s has %d bytes or more, too many for a password", path, maxPassword)
	}
	if err != nil {
		return o, fmt.Errorf("property %s: %w", passwordFile, err)
	}
	o.Redis.Password = strings.TrimRight(string(b), "\r\n")
	return o, nil
}

// template is a command whose words have names of fields in braces, in whose place the fields of a tuple stand. Braces in braces are braces, as of the
// hash tags of a Redis cluster.
type template []string

func (words template) add(t gearcore.Tuple, c *redis.Commands) error {
	out := make([]string, len(words))
	for i, word := range words {
		var err error
		if out[i], err = filled(word, t); err != nil {
			return err
		}
	}
	c.Do(out[0], out[1], out[2:]...)
	return nil
}

func filled(word string, t gearcore.Tuple) (string, error) {
	var out strings.Builder
	for {
		before, rest, opened := strings.Cut(word, "{")
		out.WriteString(before)
		if !opened {
			return out.String(), nil
		}
		if tag, after, literal := strings.Cut(rest, "}}"); literal && strings.HasPrefix(tag, "{") && !strings.ContainsAny(tag[1:], "{}") {
			out.WriteString(tag + "}")
			word = after
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		v, known := t.Field(name)
		if !closed || !known {
			return "", fmt.Errorf("redis sink: %q names the field %q, the tuple has %v", word, name, t.Fields())
		}
		out.WriteString(v.Text())
		word = after
	}
}
