package kafka

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Checkpoints that are given up for long leave nothing behind, and the next one that counts is committed.
func TestCheckpointsThatDoNotCount(t *testing.T) {
	k := &committer{group: "g"}
	for epoch := range uint64(1000) {
		k.freeze(epoch+1, places{"t": {Partitions: int32(epoch + 1)}})
	}
	if n := len(k.frozen); n != mostFrozen {
		t.Errorf("%d are remembered", n)
	}
	k.commit(999)
	if k.next["t"] == nil || k.next["t"].Partitions != 999 || len(k.frozen) != 1 {
		t.Errorf("%v is to be committed, %d are left", k.next, len(k.frozen))
	}
}

// What a broker wants again later for ever is an error after a while: nobody heard of it.
func TestRetryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, tries := time.Now(), 0
		err := retry(t.Context(), func() error {
			tries++
			return kerr.UnknownTopicOrPartition
		})
		if took := time.Since(began); !errors.Is(err, kerr.UnknownTopicOrPartition) || tries < 2 || took < retryFor || took > 2*retryFor {
			t.Errorf("%d tries in %v: %v", tries, took, err)
		}
	})
}
