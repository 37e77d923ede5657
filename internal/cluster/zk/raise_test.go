package zk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

func TestRaiseEpoch(t *testing.T) {
	t.Parallel()
	s, proxy, term, at := leader(t, nil)
	const far = cluster.Epoch(1 << 20)
	if err := s.RaiseEpoch(t.Context(), term.Epoch, term.Epoch); err == nil {
		t.Fatal("an epoch was raised to itself")
	}
	proxy.DeafenTo([]byte(`"number":`)) // the answer is lost
	done := make(chan error, 1)
	go func() { done <- s.RaiseEpoch(t.Context(), term.Epoch, far) }()
	stands := bystander(t)
	until(t, "the request to be carried out", func() bool {
		head, _, err := stands.Get(at + "/gearstorm/head")
		return err == nil && strings.Contains(string(head), fmt.Sprint(far))
	})
	proxy.Cut()
	proxy.Hear()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Txn(t.Context(), far, cluster.Put("k", nil)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-term.Lost:
		t.Fatal("the term ended")
	default:
	}
	other := open(t, config(at, serverAddr(t)))
	for what, err := range map[string]error{
		"write":      s.Txn(t.Context(), term.Epoch, cluster.Put("k", nil)),
		"raise":      s.RaiseEpoch(t.Context(), term.Epoch, far+1),
		"by another": other.RaiseEpoch(t.Context(), far, far+1),
	} {
		if !errors.Is(err, cluster.ErrFenced) {
			t.Errorf("%s: got %v, want ErrFenced", what, err)
		}
	}
	removeCandidates(t, at)
	await(t, "the end of the term", term.Lost)
	if err := s.RaiseEpoch(t.Context(), far, far+1); !errors.Is(err, cluster.ErrFenced) {
		t.Errorf("after the term: got %v, want ErrFenced", err)
	}
	if next, err := other.Campaign(t.Context(), "other"); err != nil || next.Epoch != far+1 {
		t.Fatalf("the next epoch is %d, %v", next.Epoch, err)
	}
}
