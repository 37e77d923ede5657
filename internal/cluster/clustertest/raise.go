package clustertest

import (
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// testRaise holds stores that implement cluster.Raiser to its words.
func testRaise(t *testing.T, h Harness) {
	s, first := start(t, h, t.TempDir())
	r, ok := s.(cluster.Raiser)
	if !ok {
		return
	}
	ctx := t.Context()
	const far = cluster.Epoch(1 << 20)
	wantErr(t, "raise from an epoch to come", r.RaiseEpoch(ctx, first.Epoch+1, far), cluster.ErrFenced)
	if err := r.RaiseEpoch(ctx, first.Epoch, first.Epoch); err == nil {
		t.Fatal("an epoch was raised to itself")
	}
	must(t, r.RaiseEpoch(ctx, first.Epoch, far))
	select {
	case <-first.Lost:
		t.Fatal("the term ended")
	default:
	}
	wantErr(t, "write under the old number", s.Txn(ctx, first.Epoch, cluster.Put("k", nil)), cluster.ErrFenced)
	wantErr(t, "raise from the old number", r.RaiseEpoch(ctx, first.Epoch, far+7), cluster.ErrFenced)
	must(t, s.Txn(ctx, far, cluster.Put("k", []byte("v"))))
	next, err := s.Campaign(ctx, "next")
	must(t, err)
	if next.Epoch != far+1 {
		t.Fatalf("epoch %d follows %d", next.Epoch, far)
	}
	<-first.Lost
	must(t, s.Close())
	if err := r.RaiseEpoch(ctx, next.Epoch, far+9); err == nil {
		t.Fatal("a closed store raised its epoch")
	}
}
