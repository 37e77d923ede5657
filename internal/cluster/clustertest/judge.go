package clustertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// judgeLimit is how long the search for an order of the calls may take. It mostly takes less than a second.
const judgeLimit = 60 * time.Second

// conclude has one of the stores lead once more. If no epoch is missing then, the campaigns that were called off changed nothing
// and leave the history: calls that may have their effect at any time make the search for an order very long.
func (r *recorder) conclude(t *testing.T, stores []cluster.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), handoverLimit)
	defer cancel()
	won := make(chan cluster.Epoch, len(stores))
	var campaigns sync.WaitGroup
	end := r.begin(-1, call{kind: toCampaign})
	for _, s := range stores {
		campaigns.Go(func() {
			if term, err := s.Campaign(ctx, "last"); err == nil {
				won <- term.Epoch
			}
		})
	}
	select {
	case epoch := <-won:
		end(answer{epoch: epoch})
	case <-ctx.Done():
		t.Fatal("no store leads in the end")
	}
	cancel()
	campaigns.Wait()
	var epochs []cluster.Epoch
	for _, o := range r.history {
		if a := o.Output.(answer); o.Input.(call).kind == toCampaign && !a.unknown {
			epochs = append(epochs, a.epoch)
		}
	}
	if slices.Max(epochs) > cluster.Epoch(len(epochs)) {
		return
	}
	r.history = slices.DeleteFunc(r.history, func(o porcupine.Operation) bool {
		return o.Input.(call).kind == toCampaign && o.Output.(answer).unknown
	})
}

// judge looks for an order of the calls in which the model answers as the stores did.
func (r *recorder) judge(t *testing.T, l Linear) {
	t.Helper()
	counts := make(map[string]int)
	for i, o := range r.history {
		counts[o.Input.(call).kind.String()+" "+o.Output.(answer).outcome()]++
		r.history[i].ClientId = i // after a call of unknown outcome its client goes on, so two of its calls overlap
	}
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(linearModel, r.history, judgeLimit)
	t.Logf("%d calls, judged in %v: %v", len(r.history), time.Since(began).Round(time.Millisecond), counts)
	switch result {
	case porcupine.Illegal:
		t.Fatalf("no order of the calls explains their answers, seed %v; this is as far as one goes:\n%s", l.Seed, r.dispute(info))
	case porcupine.Unknown:
		t.Fatalf("no order of the calls was found within %v, seed %v", judgeLimit, l.Seed)
	}
}

// dispute tells the end of the longest order that was found, and the calls that came about then and have no place in it.
func (r *recorder) dispute(info porcupine.LinearizationInfo) string {
	const most = 20
	var longest []int
	for _, order := range info.PartialLinearizations()[0] {
		if len(order) > len(longest) {
			longest = order
		}
	}
	var text strings.Builder
	line := func(o porcupine.Operation) {
		fmt.Fprintf(&text, "%14d %14d %s\n", o.Call, o.Return, describe(o.Input, o.Output))
	}
	for _, i := range longest[max(0, len(longest)-most):] {
		line(r.history[i])
	}
	text.WriteString("without a place:\n")
	rest := slices.Clone(r.history)
	for _, i := range longest {
		rest[i].Input = nil
	}
	rest = slices.DeleteFunc(rest, func(o porcupine.Operation) bool { return o.Input == nil })
	slices.SortFunc(rest, func(a, b porcupine.Operation) int { return int(a.Return - b.Return) })
	for _, o := range rest[:min(most, len(rest))] {
		line(o)
	}
	return text.String()
}
