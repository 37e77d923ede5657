package multilang

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestOutput(t *testing.T) {
	open := func(t *testing.T) (*output, *os.File) {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		o, err := newOutput(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { o.Close(); w.Close() })
		return o, w
	}
	// next reads in the background.
	next := func(o *output) <-chan error {
		c := make(chan error, 1)
		go func() {
			_, err := o.Read(make([]byte, 8))
			c <- err
		}()
		return c
	}
	t.Run("data, then the end", func(t *testing.T) {
		o, w := open(t)
		waiting := next(o)
		if _, err := w.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
		waiting = next(o)
		w.Close()
		if err := <-waiting; err != io.EOF {
			t.Fatalf("read at the end gave %v", err)
		}
	})
	t.Run("a deadline ends a read that waits", func(t *testing.T) {
		o, w := open(t)
		waiting := next(o)
		o.SetReadDeadline(time.Now())
		if err := <-waiting; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read past the deadline gave %v", err)
		}
		if _, err := w.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		o.SetReadDeadline(time.Now().Add(-time.Second))
		if err := <-next(o); err != nil {
			t.Fatalf("what was there was not read: %v", err)
		}
		if err := <-next(o); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read past the deadline gave %v", err)
		}
	})
	t.Run("a later deadline holds", func(t *testing.T) {
		o, _ := open(t)
		o.SetReadDeadline(time.Now().Add(time.Millisecond))
		o.SetReadDeadline(time.Now().Add(3 * time.Millisecond))
		if err := <-next(o); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read past the deadline gave %v", err)
		}
	})
}
