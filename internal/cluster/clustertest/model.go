package clustertest

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

type callKind uint8

const (
	toCampaign callKind = iota
	toWrite
	toGet
	toList
)

func (k callKind) String() string { return [...]string{"campaign", "txn", "get", "list"}[k] }

// values are what stands at linearKeys; empty is absent. Every write has its own value, so a value stands for a version.
type values [len(linearKeys)]string

// part is an operation of a transaction.
type part struct {
	key   int
	any   bool   // no condition; else the key must have the value want
	want  string // empty: be absent
	keep  bool   // only look
	value string // to write; empty deletes
}

type call struct {
	kind  callKind
	key   int // of a get
	guard cluster.Epoch
	parts []part
}

type answer struct {
	unknown, conflict, fenced bool
	epoch                     cluster.Epoch
	values                    values
}

func (a answer) outcome() string {
	switch {
	case a.unknown:
		return "unknown"
	case a.conflict:
		return "conflict"
	case a.fenced:
		return "fenced"
	}
	return "ok"
}

// linearState is what a store holds.
type linearState struct {
	epoch  cluster.Epoch
	values values
}

var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		ok, next := step(state.(linearState), input.(call), output.(answer))
		return ok, next
	},
	DescribeOperation: describe,
}

// step tells whether c may be answered by a in state s, and the state after it.
func step(s linearState, c call, a answer) (bool, linearState) {
	switch c.kind {
	case toGet:
		return s.values[c.key] == a.values[c.key], s
	case toList:
		return s.values == a.values, s
	case toCampaign:
		if a.unknown {
			s.epoch++
			return true, s
		}
		ok := a.epoch > s.epoch
		s.epoch = a.epoch
		return ok, s
	}
	leads, holds := c.guard == s.epoch && c.guard != 0, true
	after := s
	for _, p := range c.parts {
		holds = holds && (p.any || s.values[p.key] == p.want)
		if !p.keep {
			after.values[p.key] = p.value
		}
	}
	if !leads || !holds {
		after = s
	}
	switch {
	case a.unknown:
		return true, after
	case a.fenced:
		return !leads, s
	case a.conflict:
		return leads && !holds, s
	}
	return leads && holds, after
}

func describe(input, output any) string {
	c, a := input.(call), output.(answer)
	switch c.kind {
	case toCampaign:
		return fmt.Sprintf("campaign -> %s %d", a.outcome(), a.epoch)
	case toGet:
		return fmt.Sprintf("get %s -> %q", linearKeys[c.key], a.values[c.key])
	case toList:
		return fmt.Sprintf("list -> %q", a.values)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "txn under %d:", c.guard)
	for _, p := range c.parts {
		fmt.Fprintf(&text, " %s", linearKeys[p.key])
		if !p.any {
			fmt.Fprintf(&text, " if %q", p.want)
		}
		if !p.keep {
			fmt.Fprintf(&text, " = %q", p.value)
		}
	}
	return text.String() + " -> " + a.outcome()
}
