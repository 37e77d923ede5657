package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// cleaner is what Clean remembers.
type cleaner struct {
	files  map[string][]string // by manifest: the files it names
	origin *origin             // nil: not looked for yet
}

// Cleaned is what Clean removed.
type Cleaned struct {
	Records, Manifests, Files int
}

// Clean removes what no checkpoint that is kept, and no savepoint, needs: records, manifests, and files that were written for epochs
// up to done, which must have ended. Files and manifests of later epochs are left alone, so what is under way is safe whatever
// happens. If it ends half way the next one goes on.
func (l *Log) Clean(ctx context.Context, done uint64) (Cleaned, error) {
	var c Cleaned
	if err := l.sweep(ctx); err != nil {
		return c, err
	}
	defer func() { <-l.sweeps }()
	l.mu.Lock()
	counts := slices.Clone(l.chain.counts)
	l.mu.Unlock()
	kept := counts[max(0, len(counts)-l.conf.Keep):]
	if len(kept) == 0 {
		return c, nil // the beginning is needed still
	}
	err := l.cleanRecords(ctx, kept[0].number, &c)
	if errors.Is(err, errOpen) {
		return c, nil // what the record makes count may be needed: the next cleaning knows
	}
	if err == nil {
		err = l.cleanEpochs(ctx, kept, done, &c)
	}
	if err != nil {
		return c, fmt.Errorf("clean up the checkpoints of %s: %w", l.conf.Topology, err)
	}
	return c, nil
}

// cleanRecords removes those before first, from the oldest on, so that what is left is never without its end or with a gap.
func (l *Log) cleanRecords(ctx context.Context, first uint64, c *Cleaned) error {
	list, err := l.conf.Store.List(ctx, l.area.dir("log"))
	if err != nil {
		return err
	}
	for _, o := range list {
		if err := l.wrote(ctx, o.Name); err != nil {
			return err
		}
	}
	for _, o := range list {
		if n, _ := number(o.Name, l.area.dir("log")); n >= first {
			break
		}
		if err := l.conf.Store.Delete(ctx, o.Name); err != nil {
			return err
		}
		c.Records++
	}
	return nil
}

// errOpen says that a record of this Log is there whose write has not returned, or had no answer.
var errOpen = errors.New("it is not known yet what became of a record")

// wrote returns nil if the record of that name is one that this Log knows, errOpen if it is another that it wrote, and else ErrFenced.
func (l *Log) wrote(ctx context.Context, name string) error {
	foreign := fmt.Errorf("%w: %s was not written here", ErrFenced, name)
	n, ok := number(name, l.area.dir("log"))
	if !ok {
		return foreign
	}
	l.mu.Lock()
	known := n < l.chain.next
	l.mu.Unlock()
	if known {
		return nil
	}
	r, err := readRecord(ctx, l.conf.Store, l.area, n)
	switch {
	case err == nil && r.Writer == l.writer:
		return fmt.Errorf("%w: %s", errOpen, name)
	case err == nil || errors.Is(err, ErrNotFound):
		return foreign
	}
	return err
}

// cleanEpochs removes manifests, then files. Files are listed before it is known what is needed, and what other topologies hold
// after manifests were removed (see adopt).
func (l *Log) cleanEpochs(ctx context.Context, kept []counted, done uint64, c *Cleaned) error {
	files, err := l.conf.Store.List(ctx, l.area.dir("files"))
	if err != nil {
		return err
	}
	var needed []string
	for _, k := range kept {
		needed = append(needed, l.area.manifest(k.epoch))
	}
	manifests, err := l.conf.Store.List(ctx, l.area.dir("manifests"))
	if err != nil {
		return err
	}
	if c.Manifests, err = l.removeUpTo(ctx, "manifests", manifests, done, func(name string) bool { return slices.Contains(needed, name) }); err != nil {
		return err
	}
	for _, dir := range []string{savepoints, l.area.dir("held")} {
		list, err := l.conf.Store.List(ctx, dir)
		if err != nil {
			return err
		}
		for _, o := range list {
			needed = append(needed, o.Name)
		}
	}
	named, err := l.filesOf(ctx, needed)
	if err != nil {
		return err
	}
	if c.Files, err = l.removeUpTo(ctx, "files", files, done, func(name string) bool { return named[name] }); err != nil {
		return err
	}
	return l.release(ctx, named)
}

// removeUpTo removes what is of epochs up to done and not needed.
func (l *Log) removeUpTo(ctx context.Context, kind string, list []Object, done uint64, needed func(string) bool) (int, error) {
	n := 0
	for _, o := range list {
		if epoch, ok := number(o.Name, l.area.dir(kind)); !ok || epoch > done || needed(o.Name) {
			continue
		}
		if err := l.conf.Store.Delete(ctx, o.Name); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// filesOf returns the names of all files that some manifests name. One that is damaged ends it: what cannot be known to be
// needless is kept. One that is not there any more names none.
func (l *Log) filesOf(ctx context.Context, manifests []string) (map[string]bool, error) {
	known := l.clean.files
	l.mu.Lock()
	for _, name := range l.renewed { // one that was deleted may have had the name
		delete(known, name)
	}
	l.renewed = nil
	l.mu.Unlock()
	l.clean.files = map[string][]string{}
	out := map[string]bool{}
	for _, name := range manifests {
		files, ok := known[name]
		if !ok {
			m, err := readManifest(ctx, l.conf.Store, name)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			if err == nil {
				for f := range m.files {
					files = append(files, f.Name)
				}
			}
		}
		l.clean.files[name] = files
		for _, f := range files {
			out[f] = true
		}
	}
	return out, nil
}

// release tells the topology from whose checkpoint this one was started that its files are not needed any more. files are those
// that any of this topology's checkpoints or any savepoint names. As long as a checkpoint needs files of any other topology it tells
// nothing: they may be of one that the former was started from itself, where they are held for the former alone.
func (l *Log) release(ctx context.Context, files map[string]bool) error {
	if l.clean.origin == nil {
		o, err := l.readOrigin(ctx)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		l.clean.origin = &o
	}
	from := l.clean.origin.Area
	if from == "" {
		return nil
	}
	for f := range files {
		if strings.HasPrefix(f, from.dir("files")) {
			return nil
		}
	}
	if l.borrows() {
		return nil
	}
	if err := l.conf.Store.Delete(ctx, from.held(l.area)); err != nil {
		return err
	}
	if err := l.conf.Store.Delete(ctx, l.area.origin()); err != nil {
		return err
	}
	*l.clean.origin = origin{}
	return tidy(ctx, l.conf.Store, from)
}

// borrows says whether a checkpoint that this topology keeps, or holds for another one, names a file of another topology, as filesOf has
// found last.
func (l *Log) borrows() bool {
	foreign := func(file string) bool { return !strings.HasPrefix(file, l.area.dir("files")) }
	for manifest, files := range l.clean.files {
		if !strings.HasPrefix(manifest, savepoints) && slices.ContainsFunc(files, foreign) {
			return true
		}
	}
	return false
}

// Purge removes all that the topology has, as the function Purge does, if no other Log has written since. It is the last that is asked of l.
func (l *Log) Purge(ctx context.Context) error {
	if err := l.ready(); err != nil {
		return err
	}
	list, err := l.conf.Store.List(ctx, l.area.dir("log"))
	if err != nil {
		return fmt.Errorf("remove the checkpoints of %s: %w", l.conf.Topology, err)
	}
	for _, o := range list {
		if err := l.wrote(ctx, o.Name); err != nil && !errors.Is(err, errOpen) {
			return err
		}
	}
	l.fenced = true
	return Purge(ctx, l.conf.Store, l.conf.Topology)
}

// Purge removes all that a topology has in a store but savepoints and what they need, and what other topologies hold. Nobody may be
// writing there any more.
func Purge(ctx context.Context, s Store, topology string) error {
	a := areaOf(topology)
	list, err := s.List(ctx, a.dir("log"))
	for _, o := range list {
		if err == nil {
			err = s.Delete(ctx, o.Name)
		}
	}
	if err == nil {
		err = tidy(ctx, s, a)
	}
	if err != nil {
		return fmt.Errorf("remove the checkpoints of %s: %w", topology, err)
	}
	return nil
}

// tidy removes what nobody needs of a topology that has no records any more.
func tidy(ctx context.Context, s Store, a area) error {
	list, err := s.List(ctx, a.dir("log"))
	if err != nil || len(list) > 0 {
		return err
	}
	l := &Log{conf: LogConfig{Store: s}, area: a}
	return l.cleanEpochs(ctx, nil, math.MaxUint64, new(Cleaned))
}
