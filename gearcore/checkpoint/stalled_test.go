package checkpoint_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

// stalling is a store that says nothing any more after some bytes of a file, and before that takes its time.
type stalling struct {
	checkpoint.Memory
	after int
}

func (s *stalling) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := s.Memory.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return &slowly{ReadCloser: r, ctx: ctx, left: s.after}, nil
}

type slowly struct {
	io.ReadCloser
	ctx  context.Context
	left int
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.ctx.Done()
		return 0, s.ctx.Err()
	}
	time.Sleep(50 * time.Second)
	n, err := s.ReadCloser.Read(p[:min(len(p), s.left, 1<<19)])
	s.left -= n
	return n, err
}

// A store that is slow is read to the end. One that says nothing for a minute is an error, which says nothing of the file.
func TestStoreThatStandsStill(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 2 << 20} {
		synctest.Test(t, func(t *testing.T) {
			s := &stalling{}
			v := checkpoint.NewVault(s, "t", 1)
			f, err := v.Put(t.Context(), "f", bytes.NewReader(make([]byte, size)))
			if err != nil {
				t.Fatal(err)
			}
			verify := func() error {
				return checkpoint.Verify(t.Context(), v, []gearcore.TaskPart{{Part: gearcore.Part{Files: []gearcore.File{f}}}})
			}
			s.after = size + 1
			if err := verify(); err != nil {
				t.Errorf("%s: a slow store: %v", name, err)
			}
			s.after = size / 2
			if err := verify(); err == nil || !strings.Contains(err.Error(), "nothing has come for 1m0s") || checkpoint.Lost(err) {
				t.Errorf("%s: a store that stands still: %v", name, err)
			}
		})
	}
}

// So it is with one that does not even open a file.
func TestStoreThatOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storetest.Faulty{Store: new(checkpoint.Memory)}
		v := checkpoint.NewVault(s, "t", 1)
		f, err := v.Put(t.Context(), "f", strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		s.On = func(ctx context.Context, c storetest.Call) storetest.Fault {
			<-ctx.Done()
			return storetest.Fault{Err: ctx.Err()}
		}
		if _, err := v.Get(context.Background(), f); err == nil || !strings.Contains(err.Error(), "nothing has come for 1m0s") {
			t.Errorf("error %v", err)
		}
	})
}
