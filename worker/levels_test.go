package worker

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// logConfig makes levels of "logger=LEVEL" and "logger=LEVEL:until".
func logConfig(t *testing.T, texts ...string) *stormrpc.LogConfig {
	t.Helper()
	c := &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{}}
	for _, text := range texts {
		name, level, _ := strings.Cut(text, "=")
		level, after, timed := strings.Cut(level, ":")
		l := &stormrpc.LogLevel{Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: &level}
		if timed {
			d, err := time.ParseDuration(after)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(d).UnixMilli()
			l.ResetLogLevelTimeoutEpoch = &at
		}
		c.NamedLoggerLevel[name] = l
	}
	return c
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    []string
		logger []any // attributes of the logger
		want   slog.Level
	}{
		{"nothing is set", nil, nil, slog.LevelInfo},
		{"the root logger", []string{"ROOT=DEBUG"}, []any{"component", "count"}, slog.LevelDebug},
		{"the root logger in other letters", []string{"root=ERROR"}, nil, slog.LevelError},
		{"a component", []string{"ROOT=ERROR", "count=TRACE"}, []any{"component", "count"}, slog.LevelDebug - 4},
		{"another component", []string{"count=TRACE"}, []any{"component", "words"}, slog.LevelInfo},
		{"the worker's own lines", []string{"org.apache=WARN"}, nil, slog.LevelWarn},
		{"not a component's lines", []string{"org.apache.storm=WARN"}, []any{"component", "count"}, slog.LevelInfo},
		{"a named logger", []string{"com.example=DEBUG", "com.example.quiet=ERROR"}, []any{"component", "count", "logger", "com.example.Bolt"}, slog.LevelDebug},
		{"its own level first", []string{"com.example=DEBUG", "com.example.quiet=ERROR"}, []any{"logger", "com.example.quiet"}, slog.LevelError},
		{"a name is not a prefix", []string{"com.ex=DEBUG"}, []any{"logger", "com.example"}, slog.LevelInfo},
		{"time that is over", []string{"ROOT=DEBUG:-1s"}, nil, slog.LevelInfo},
		{"no level of that name", []string{"ROOT=LOUD"}, nil, slog.LevelInfo},
	} {
		var l levels
		log := slog.New(l.handler(slog.NewTextHandler(&lines{}, nil))).With("topology", "t").With(c.logger...)
		l.follow(logConfig(t, c.set...))
		for level := slog.Level(-12); level <= 12; level++ {
			if got := log.Enabled(context.Background(), level); got != (level >= c.want) {
				t.Errorf("%s: a line of level %d is written: %v, the least is %d", c.name, level, got, c.want)
			}
		}
		l.close()
	}
}

// A level with a time holds until then, also one whose plan is told again, and what was set below it is in force afterwards.
func TestLevelsAreReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l levels
		log := slog.New(l.handler(slog.NewTextHandler(&lines{}, nil)))
		is := func(when string, want slog.Level) {
			t.Helper()
			synctest.Wait()
			if !log.Enabled(t.Context(), want) || log.Enabled(t.Context(), want-1) {
				t.Errorf("%s: the level is not %v", when, want)
			}
		}
		set := logConfig(t, "ROOT=WARN", "org.apache.storm=DEBUG:30s", "org=TRACE:20s")
		if !l.follow(set) || l.follow(set) {
			t.Error("levels that were set do not count as changed, or the same ones do")
		}
		is("at once", slog.LevelDebug)
		time.Sleep(29 * time.Second)
		is("before the end", slog.LevelDebug)
		time.Sleep(time.Second)
		is("at the end", slog.LevelWarn)
		l.follow(logConfig(t, "ROOT=WARN", "org.apache.storm=ERROR:1h"))
		is("set anew", slog.LevelError)
		l.follow(nil)
		is("removed", slog.LevelInfo)
		l.follow(logConfig(t, "ROOT=DEBUG:1h"))
		l.close()
		if l.follow(nil) {
			t.Error("a worker that ends follows levels")
		}
	})
}

func TestLinesOfOtherLevelsAreWritten(t *testing.T) {
	var l levels
	out := &lines{}
	log := slog.New(l.handler(slog.NewTextHandler(out, nil))).WithGroup("g").With("component", "count")
	log.Debug("before")
	l.follow(logConfig(t, "count=DEBUG"))
	log.Debug("after", "n", 1)
	if got := string(out.b); strings.Contains(got, "before") || !strings.Contains(got, "msg=after") || !strings.Contains(got, "g.component=count") {
		t.Errorf("the log has\n%s", got)
	}
}
