package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// place says where the manifest is that from means: the name of a savepoint, or topology id and epoch with a "/" between.
func place(from string) (string, error) {
	i := strings.LastIndexByte(from, '/')
	if i < 0 {
		return savepoints + from, CheckSavepoint(from)
	}
	epoch, err := strconv.ParseUint(from[i+1:], 10, 64)
	if i == 0 || err != nil || epoch == 0 {
		return "", fmt.Errorf("start from %q: want the name of a savepoint, or the id of a topology and an epoch with a / between", from)
	}
	return areaOf(from[:i]).manifest(epoch), nil
}

// CheckStart says whether a topology may be told to start from that: LogConfig.From.
func CheckStart(from string) error {
	_, err := place(from)
	return err
}

// CheckSavepoint says whether name may be that of a savepoint.
func CheckSavepoint(name string) error {
	if err := checkSegment(name); err != nil || len(name) > 100 {
		return fmt.Errorf("savepoint %q: its name may have 100 letters, digits and -_.=, and does not begin with a dot", name)
	}
	return nil
}

// Savepoint keeps a checkpoint that counts under a name, until DeleteSavepoint. ErrExists if the name is taken by another one.
func (l *Log) Savepoint(ctx context.Context, name string, epoch uint64) error {
	if err := l.ready(); err != nil {
		return err
	}
	if err := CheckSavepoint(name); err != nil {
		return err
	}
	b, err := readSmall(ctx, l.conf.Store, l.area.manifest(epoch), maxManifest)
	if err != nil {
		return fmt.Errorf("savepoint %s: read epoch %d: %w", name, epoch, err)
	}
	err = putOnce(ctx, l.conf.Store, savepoints+name, b)
	l.mu.Lock()
	l.renewed = append(l.renewed, savepoints+name)
	l.mu.Unlock()
	switch {
	case errors.Is(err, ErrExists):
		return fmt.Errorf("savepoint %s: %w, of another checkpoint: delete it, or take another name", name, ErrExists)
	case err != nil:
		return fmt.Errorf("savepoint %s: %w", name, err)
	}
	return nil
}

// ReadSavepoint returns what is kept under a name.
func ReadSavepoint(ctx context.Context, s Store, name string) (*Manifest, error) {
	if err := CheckSavepoint(name); err != nil {
		return nil, err
	}
	return readManifest(ctx, s, savepoints+name)
}

// Savepoints returns the names of all savepoints of a store, sorted.
func Savepoints(ctx context.Context, s Store) ([]string, error) {
	list, err := s.List(ctx, savepoints)
	if err != nil {
		return nil, fmt.Errorf("list savepoints: %w", err)
	}
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = strings.TrimPrefix(o.Name, savepoints)
	}
	return names, nil
}

// DeleteSavepoint forgets a name. Its files go with the next cleaning of their topology, or at once if that has been purged, if nothing
// else uses them.
func DeleteSavepoint(ctx context.Context, s Store, name string) error {
	m, err := ReadSavepoint(ctx, s, name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	if err := s.Delete(ctx, savepoints+name); err != nil {
		return fmt.Errorf("delete savepoint %s: %w", name, err)
	}
	if m == nil {
		return nil
	}
	if err := tidy(ctx, s, areaOf(m.Topology)); err != nil {
		return fmt.Errorf("delete the files of savepoint %s: %w", name, err)
	}
	return nil
}

// origin is why another topology keeps files for this one.
type origin struct {
	From  string `json:"from"`
	Area  area   `json:"area"`
	Epoch uint64 `json:"epoch"`
}

// adopt makes what the configuration says to start from the first checkpoint that counts. Each step may be done twice. The files
// stay where they are: a copy of the manifest there says that they are in use. It is written before the manifest is looked for
// again, and whoever deletes files deletes manifests first, then looks for such copies, then deletes: so either the copy is seen or
// the manifest is missed.
func (l *Log) adopt(ctx context.Context) error {
	name, err := place(l.conf.From)
	if err != nil {
		return err
	}
	if err := l.adoptFrom(ctx, name); err != nil {
		return startError{fmt.Errorf("start from %s: %w", l.conf.From, err)}
	}
	return nil
}

// startError says that what the topology is to start from cannot be had.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

func (l *Log) adoptFrom(ctx context.Context, name string) error {
	s := l.conf.Store
	m, err := readManifest(ctx, s, name)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: `gearstorm savepoint --store URL` lists the savepoints of a store", ErrNotFound)
	}
	if err != nil {
		return err
	}
	from := areaOf(m.Topology)
	b, err := m.seal()
	if err != nil {
		return err
	}
	o, err := seal("origin", origin{l.conf.From, from, m.Epoch})
	if err != nil {
		return err
	}
	for _, p := range []struct {
		name    string
		content []byte
	}{{l.area.origin(), o}, {from.held(l.area), b}, {l.area.manifest(m.Epoch), b}} {
		if err := s.Put(ctx, p.name, bytes.NewReader(p.content)); err != nil {
			return err
		}
	}
	if _, err := readManifest(ctx, s, name); err != nil {
		return err
	}
	sizes := sizes{store: s}
	if err := sizes.complete(ctx, m); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain.counts = []counted{{m.Epoch, 1}}
	return nil
}

func (l *Log) readOrigin(ctx context.Context) (origin, error) {
	var o origin
	b, err := readSmall(ctx, l.conf.Store, l.area.origin(), maxRecord)
	if err == nil {
		err = unseal("origin", b, &o)
	}
	if err != nil {
		return o, fmt.Errorf("read %s: %w", l.area.origin(), err)
	}
	return o, nil
}
