package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func testSpec() WorkerSpec {
	return WorkerSpec{
		Topology: "count-1-1700000000", Worker: "8c2a", Node: "node-1", Hostname: "localhost", Port: 6700,
		Supervisor: "127.0.0.1:6628", CodeDir: "/data/stormdist/count-1-1700000000", WorkerDir: "/data/workers/8c2a",
		PidDir: "/data/workers/8c2a/pids", LogPath: "/logs/worker.log", Lifeline: true,
		Plan: []byte{1, 2, 0xff}, Conf: []byte(`{"a":1}`),
	}
}

// descriptor gives a descriptor number that reads as data and is owned by nobody in this process.
func descriptor(t *testing.T, data []byte) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		w.Write(data)
		w.Close()
	}()
	fd, err := syscall.Dup(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return fd
}

func TestSpecRoundTrip(t *testing.T) {
	want := testSpec()
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadSpec(descriptor(t, data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("spec changed on its way (-want +got):\n%s", diff)
	}
}

func TestSpecRefusals(t *testing.T) {
	good := testSpec()
	encoded, err := good.Encode()
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{
		"empty":         nil,
		"no json":       []byte("\x80\x01\x00\x01"),
		"cut":           encoded[:len(encoded)/2],
		"other version": bytes.Replace(encoded, []byte(`"version":1`), []byte(`"version":2`), 1),
		"no plan":       bytes.Replace(encoded, []byte(`"plan":"AQL/"`), []byte(`"plan":""`), 1),
		"relative dir":  bytes.Replace(encoded, []byte(`"/data/workers/8c2a"`), []byte(`"workers/8c2a"`), 1),
		"port":          bytes.Replace(encoded, []byte(`"port":6700`), []byte(`"port":66000`), 1),
		"long id":       bytes.Replace(encoded, []byte(`"8c2a"`), fmt.Appendf(nil, "%q", strings.Repeat("x", 513)), 1),
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal(data, encoded) {
				t.Fatal("the case is the good spec")
			}
			if _, err := ReadSpec(descriptor(t, data)); !errors.Is(err, ErrSpec) {
				t.Fatalf("got %v, want ErrSpec", err)
			}
		})
	}
}

func TestSpecUnknownFieldsAreIgnored(t *testing.T) {
	good := testSpec()
	data, _ := good.Encode()
	data = bytes.Replace(data, []byte(`"port":6700`), []byte(`"port":6700,"later":{"x":1}`), 1)
	got, err := decodeSpec(data)
	if err != nil || got.Port != 6700 {
		t.Fatalf("got port %d, %v", got.Port, err)
	}
}

func FuzzReadSpec(f *testing.F) {
	spec := testSpec()
	data, err := spec.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"spec":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeSpec(data)
		if err != nil {
			if !errors.Is(err, ErrSpec) {
				t.Fatalf("error %v does not wrap ErrSpec", err)
			}
			return
		}
		again, err := got.Encode()
		if err != nil {
			t.Fatalf("decoded but does not encode: %v", err)
		}
		back, err := decodeSpec(again)
		if err != nil || !cmp.Equal(got, back, cmpopts.EquateEmpty()) {
			t.Fatalf("round trip: %v\n%s", err, cmp.Diff(got, back))
		}
	})
}

func TestLifeline(t *testing.T) {
	open := func() (*Lifeline, *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fd, err := syscall.Dup(int(r.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		l, err := OpenLifeline(fd)
		if err != nil {
			t.Fatal(err)
		}
		return l, w
	}
	l, w := open()
	w.Close()
	if err := l.Wait(); err != nil {
		t.Fatalf("supervisor gone: %v", err)
	}
	l.Close()

	l, w = open()
	defer w.Close()
	done := make(chan error)
	go func() { done <- l.Wait() }()
	l.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
}
