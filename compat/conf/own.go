package conf

import (
	"fmt"
	"strings"
)

// ownPrefix is what the names of our own keys start with.
const ownPrefix = "gearstorm."

// CheckOwn refuses keys that start with "gearstorm." and that nobody knows, and values that those of ours cannot have: other unknown keys
// belong to user code, these can only be spelling mistakes, which would go unnoticed. Nil, or an [*InvalidError].
func (c Conf) CheckOwn() error {
	return c.validate(func(k Key) bool { return k.Scope == OwnScope && c[k.Name] != nil })
}

func (c Conf) unknownOwn() (problems []Problem) {
	for _, name := range sortedKeys(c) {
		if _, known := Lookup(name); !known && strings.HasPrefix(name, ownPrefix) {
			text := fmt.Sprintf("unknown key %s: did you mean %s?", short(name), nearestOwn(name))
			problems = append(problems, Problem{name, c[name], text})
		}
	}
	return problems
}

// nearestOwn returns the key of ours that shares most with name.
func nearestOwn(name string) (nearest string) {
	least := 0
	for _, k := range Keys() {
		if k.Scope != OwnScope {
			continue
		}
		if d := changes(name, k.Name); nearest == "" || d < least {
			nearest, least = k.Name, d
		}
	}
	return nearest
}

// changes counts the letters to be put in and taken out on the way from a to b. None is replaced, so that a part of a key
// leads to that key rather than to one as short as itself. Of a long a only the beginning counts.
func changes(a, b string) int {
	a = a[:min(len(a), 2*len(b))]
	row := make([]int, len(b)+1) // from the part of a so far to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			best := min(row[j], row[j+1]) + 1
			if a[i] == b[j] {
				best = diagonal
			}
			diagonal, row[j+1] = row[j+1], best
		}
	}
	return row[len(b)]
}
