package mem_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/clustertest"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
)

func TestConformance(t *testing.T) {
	clustertest.Run(t, clustertest.Harness{
		Open: func(string) (cluster.Store, error) { return mem.New(), nil },
	})
}

func TestPeersLeadOneAfterTheOther(t *testing.T) {
	first := mem.New()
	second := first.Peer()
	t.Cleanup(func() { first.Close(); second.Close() })
	one, err := first.Campaign(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	won := make(chan cluster.Term)
	go func() {
		term, err := second.Campaign(t.Context(), "second")
		if err != nil {
			t.Error(err)
		}
		won <- term
	}()
	if err := first.Txn(t.Context(), one.Epoch, cluster.Put("k", []byte("first"))); err != nil {
		t.Fatal(err)
	}
	first.Expire()
	<-one.Lost
	two := <-won
	if two.Epoch != one.Epoch+1 {
		t.Fatalf("epochs %d then %d", one.Epoch, two.Epoch)
	}
	if err := first.Txn(t.Context(), one.Epoch, cluster.Put("k", nil)); !errors.Is(err, cluster.ErrFenced) {
		t.Fatalf("write of the deposed: got %v, want ErrFenced", err)
	}
	it, err := second.Get(t.Context(), "k")
	if err != nil || string(it.Value) != "first" {
		t.Fatalf("the peer reads %q, %v", it.Value, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := first.Campaign(ctx, "first"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("campaign while a peer leads: got %v", err)
	}
}
