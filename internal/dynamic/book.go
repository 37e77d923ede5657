package dynamic

import "fmt"

// told is a version as `history` tells of it.
type told struct {
	Version, Base int64
	State, Note   string
}

// book is what is known of the versions of a topology whose edits may get no answer.
type book struct {
	// now is the version that runs, or if nobody can tell a guess, kept are those that may be gone back to.
	now  Spec
	kept []Version
	// open are edits that got no answer: each may be a version that the cluster tells of. The first ones, before, can be none any more
	// that it has not told of at the next look: a later edit was answered, and edits are made on the version that they were planned on.
	open   []Spec
	before int
	// known are the versions of which it is known what they are, told those that the cluster has told of.
	known map[int64]Spec
	told  map[int64]bool
	// owed is the newest version that was answered for and has to be among those that the cluster tells of; 0: none.
	owed int64
}

func newBook(first Spec) book {
	return book{now: first, known: map[int64]Spec{1: first}, told: map[int64]bool{1: true}}
}

// answered notes that an edit is a version.
func (b *book) answered(v Version) {
	b.known[v.Number], b.now, b.owed, b.before = v.Spec, v.Spec, v.Number, len(b.open)
}

// learn takes what the cluster tells of the versions, the oldest first. It returns what is wrong with it, "" if nothing is.
func (b *book) learn(all []told) (wrong string) {
	if len(all) == 0 {
		return "the topology has no version"
	}
	for _, v := range all {
		if !b.told[v.Version] {
			if b.told[v.Version] = true; b.known[v.Version] == nil {
				wrong = b.place(v)
			}
		}
	}
	last := all[len(all)-1]
	if b.owed != 0 && !b.told[b.owed] {
		wrong = fmt.Sprintf("version %d was answered for, and the topology has only %+v", b.owed, all)
	}
	b.open, b.before = b.open[min(b.before, len(b.open)):], 0
	if spec := b.known[last.Version]; spec != nil {
		b.now = spec
	}
	b.kept = nil
	for _, v := range all {
		if spec := b.known[v.Version]; spec != nil && v.State == "kept" {
			b.kept = append(b.kept, Version{v.Version, spec})
		}
	}
	return wrong
}

// place finds out what a version is that nobody was told of: one gone back to, or an edit without an answer. Of several it may be
// any.
func (b *book) place(v told) (wrong string) {
	switch applied := v.Note == "" && v.Base == v.Version-1; {
	case !applied:
		if spec := b.known[v.Base]; spec != nil {
			b.known[v.Version] = spec
		}
	case len(b.open) == 0:
		return fmt.Sprintf("version %d was made by nobody", v.Version)
	case len(b.open) == 1:
		b.known[v.Version], b.open = b.open[0], nil
	}
	return ""
}
