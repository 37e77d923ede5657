package clustertest

import (
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// The model must tell what may happen from what may not.
func TestModel(t *testing.T) {
	lead := func(epoch int, from, to int64) porcupine.Operation {
		return porcupine.Operation{Input: call{kind: toCampaign}, Output: answer{epoch: cluster.Epoch(epoch)}, Call: from, Return: to}
	}
	put := func(epoch int, want, value string, a answer, from, to int64) porcupine.Operation {
		return porcupine.Operation{Input: call{kind: toWrite, guard: cluster.Epoch(epoch), parts: []part{{key: 0, want: want, value: value}}},
			Output: a, Call: from, Return: to}
	}
	get := func(value string, from, to int64) porcupine.Operation {
		return porcupine.Operation{Input: call{kind: toGet}, Output: answer{values: values{value}}, Call: from, Return: to}
	}
	unknown := int64(1 << 62)
	for _, c := range []struct {
		name string
		ops  []porcupine.Operation
		ok   bool
	}{
		{"write and read", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{}, 2, 3), get("a", 4, 5)}, true},
		{"stale read", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{}, 2, 3), get("", 4, 5)}, false},
		{"read while it is written", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{}, 2, 6), get("", 3, 5)}, true},
		{"write of the deposed", []porcupine.Operation{lead(1, 0, 1), lead(2, 2, 3), put(1, "", "a", answer{}, 4, 5)}, false},
		{"the deposed is fenced", []porcupine.Operation{lead(1, 0, 1), lead(2, 2, 3), put(1, "", "a", answer{fenced: true}, 4, 5)}, true},
		{"the leader is fenced", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{fenced: true}, 4, 5)}, false},
		{"conflict without a reason", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{conflict: true}, 2, 3)}, false},
		{"conflict that was applied", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{}, 2, 3),
			put(1, "b", "c", answer{conflict: true}, 4, 5), get("c", 6, 7)}, false},
		{"unknown, applied late", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{unknown: true}, 2, unknown), get("", 4, 5),
			get("a", 6, 7)}, true},
		{"unknown, not applied", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{unknown: true}, 2, unknown), get("", 4, 5)}, true},
		{"unknown, applied and gone", []porcupine.Operation{lead(1, 0, 1), put(1, "", "a", answer{unknown: true}, 2, unknown), get("a", 4, 5),
			get("", 6, 7)}, false},
		{"an epoch twice", []porcupine.Operation{lead(1, 0, 1), lead(1, 2, 3)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.ops {
				c.ops[i].ClientId = i
			}
			if got := porcupine.CheckOperations(linearModel, c.ops); got != c.ok {
				t.Fatalf("allowed: %v, want %v", got, c.ok)
			}
		})
	}
}
