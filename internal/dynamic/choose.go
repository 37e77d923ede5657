package dynamic

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Kind is what an edit does.
type Kind string

// The kinds of edits.
const (
	Rescale  Kind = "rescale"
	Replace  Kind = "replace"
	Add      Kind = "add"
	Remove   Kind = "remove"
	Rollback Kind = "rollback"
)

// Kinds are all of them, in the order in which results name them.
func Kinds() []Kind { return []Kind{Rescale, Replace, Add, Remove, Rollback} }

// Edit is one change of the running topology.
type Edit struct {
	Kind Kind
	// What says it for people.
	What string
	// Next is the version that it makes.
	Next Spec
	// To is the version that a Rollback goes back to.
	To int64
	// Changed is the component whose code is another one though nothing in the topology shows it; "" if none.
	Changed string
}

// Version is one version that the topology had.
type Version struct {
	Number int64
	Spec   Spec
}

const (
	mostTasks = 8
	mostTaps  = 3
)

// Choose draws the next edit of a topology that runs as now; kept are the versions that may be gone back to. next is a number that no Config or
// Code had before.
func Choose(rnd *rand.Rand, now Spec, kept []Version, next int) Edit {
	kept = slices.DeleteFunc(slices.Clone(kept), func(v Version) bool { return maps.Equal(v.Spec, now) })
	for {
		e, ok := draw(rnd, now, kept, next)
		if ok {
			return e
		}
	}
}

// draw draws a kind and makes an edit of it, if there is one of that kind.
func draw(rnd *rand.Rand, now Spec, kept []Version, next int) (Edit, bool) {
	switch kind := Kinds()[rnd.IntN(len(Kinds()))]; kind {
	case Rescale:
		return rescale(rnd, now), true
	case Replace:
		return replace(rnd, now, next), true
	case Add:
		return add(rnd, now, next)
	case Remove:
		return remove(rnd, now)
	default:
		if len(kept) == 0 {
			return Edit{}, false
		}
		v := kept[rnd.IntN(len(kept))]
		return Edit{Kind: kind, What: fmt.Sprintf("back to version %d", v.Number), Next: v.Spec, To: v.Number}, true
	}
}

// rescale gives work or the counters another number of tasks, from 1 to 8.
func rescale(rnd *rand.Rand, now Spec) Edit {
	name := pick(rnd, []string{workName, countName})
	c := now[name]
	was := c.Tasks
	if c.Tasks = 1 + rnd.IntN(mostTasks-1); c.Tasks >= was {
		c.Tasks++
	}
	return Edit{Kind: Rescale, What: fmt.Sprintf("%s %d -> %d", name, was, c.Tasks), Next: now.With(name, c)}
}

// replace gives a component another language, configuration or script.
func replace(rnd *rand.Rand, now Spec, next int) Edit {
	names := append(now.taps(), workName, workName, countName)
	if _, ok := now[stepName]; ok {
		names = append(names, stepName)
	}
	name := pick(rnd, names)
	c := now[name]
	e := Edit{Kind: Replace}
	switch way := rnd.IntN(3); {
	case way == 0 && name != countName:
		c.Language, c.Code = map[Language]Language{Go: Python, Python: Go}[c.Language], 0
		e.What = fmt.Sprintf("%s, now in %s", name, c.Language)
	case way == 1 && c.Language == Python:
		c.Code, e.Changed = next, name
		e.What = fmt.Sprintf("%s, another script", name)
	default:
		c.Config = next
		e.What = fmt.Sprintf("%s in %s, another configuration", name, c.Language)
	}
	e.Next = now.With(name, c)
	return e
}

// add adds a tap, or the step before work.
func add(rnd *rand.Rand, now Spec, next int) (Edit, bool) {
	c := Component{Language: pick(rnd, []Language{Go, Python}), Tasks: 1 + rnd.IntN(2), Config: next}
	_, there := now[stepName]
	if rnd.IntN(2) == 0 && !there {
		c.From = sourceName
		work := now[workName]
		work.From = stepName
		return Edit{Kind: Add, What: fmt.Sprintf("step in %s before work", c.Language), Next: now.With(stepName, c).With(workName, work)}, true
	}
	for i := range mostTaps {
		name := fmt.Sprint(tapPrefix, i+1)
		if _, there := now[name]; !there {
			c.From = pick(rnd, []string{keyName, countName})
			return Edit{Kind: Add, What: fmt.Sprintf("%s in %s at %s", name, c.Language, c.From), Next: now.With(name, c)}, true
		}
	}
	return Edit{}, false
}

// remove removes a tap or the step.
func remove(rnd *rand.Rand, now Spec) (Edit, bool) {
	names := now.taps()
	if _, there := now[stepName]; there {
		names = append(names, stepName)
	}
	if len(names) == 0 {
		return Edit{}, false
	}
	name := pick(rnd, names)
	return Edit{Kind: Remove, What: name, Next: now.Without(name)}, true
}

func pick[T any](rnd *rand.Rand, of []T) T { return of[rnd.IntN(len(of))] }
