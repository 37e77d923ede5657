package worker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestUserFrames(t *testing.T) {
	stack := "goroutine 23 [running]:\nruntime/debug.Stack()\n\t/go/debug/stack.go:26 +0x5e\n" +
		enginePackage + "(*executor).caught(0xdea)\n\t/src/run.go:222 +0x58\n" +
		"panic({0x7a7bc0?, 0xb3e010?})\n\t/go/panic.go:860 +0x13a\nruntime.goPanicIndex(0x1, 0x0)\n\t/go/panic.go:1 +0x1\n" +
		"main.(*sum).Execute(0xdea, {0xdeb?, 0x70b073?}, 0xdec)\n\t/my/main.go:47 +0x195\nother/storm.run(...)\n\t/src/bolt.go:80\n" +
		enginePackage + "(*executor).consume(0xdea)\n\t/src/bolt.go:11 +0x6e\n"
	for _, c := range []struct{ name, stack, want string }{
		{"a bolt", stack, "\tmain.(*sum).Execute /my/main.go:47\n\tother/storm.run /src/bolt.go:80"},
		{"no panic", "goroutine 1", "goroutine 1"},
		{"cut short", "a\npanic(1)", "a\npanic(1)"},
		{"nothing of the user's", "a\npanic(1)\n\tx\n" + enginePackage + "f()\n\ty", "a\npanic(1)\n\tx\n" + enginePackage + "f()\n\ty"},
	} {
		if got := userFrames(c.stack); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func oops(m map[string]int) { m["x"] = 1 }

// TestPanicNamesTheUsersLine has a real stack, of a Go that may write it in another form one day.
func TestPanicNamesTheUsersLine(t *testing.T) {
	r := newRelay(t, 10, func(b *storm.TopologyBuilder) {
		b.SetBolt("extra", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { oops(nil); return nil }), 1).ShuffleGrouping("words")
	})
	dir := t.TempDir()
	writeResources(t, dir)
	l, err := NewLocal(LocalConfig{Name: "relay", Topology: r.topo.Thrift, Conf: r.topo.Conf, Registry: r.topo.Components, CodeDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- l.Run(ctx) }()
	text := ""
	await(t, "an error", func() bool {
		for _, e := range l.Errors() {
			text = e.Message
		}
		return text != ""
	})
	cancel()
	<-end
	if !strings.HasPrefix(text, "panic: assignment to entry in nil map\n\t") || !strings.Contains(text, "stack_test.go:") || strings.Contains(text, enginePackage) {
		t.Error(text)
	}
}
