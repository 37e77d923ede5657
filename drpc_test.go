package gearstorm

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// A topology that runs in this process brings its DRPC server along, on the port that its configuration names.
func TestRunLocalServesDRPC(t *testing.T) {
	define := func(b *storm.TopologyBuilder, _ []string) error {
		b.SetSpout("requests", storm.DRPCSpout("double"), 1)
		b.SetBolt("double", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
			if t.String(0) == "" {
				return storm.ErrFailed
			}
			out.Emit(t.String(0)+t.String(0), t.Value(1))
			return nil
		}), 2).ShuffleGrouping("requests").Fields("result", "return-info")
		b.SetBolt("answers", storm.ReturnResults(), 1).ShuffleGrouping("double")
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free a moment later
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- RunLocal(ctx, Program{Name: "answers", Define: define}, Options{Conf: conf.Conf{"drpc.http.port": int64(port)}})
	}()
	url := fmt.Sprintf("http://127.0.0.1:%d/drpc/double", port)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing is served")
		}
	}
	for i := range 20 {
		if status, text := post(t, url, fmt.Sprint(i)); status != 200 || text != fmt.Sprintf("%d%d", i, i) {
			t.Errorf("%d: %d %q", i, status, text)
		}
	}
	if status, text := post(t, url, ""); status != 400 || !strings.Contains(text, "Request failed") {
		t.Errorf("a failed tuple: %d %q", status, text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func post(t *testing.T, url, body string) (status int, text string) {
	t.Helper()
	resp, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
