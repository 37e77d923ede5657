package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Errors of stores.
var (
	// ErrExists is what PutIfAbsent returns if there is an object of that name.
	ErrExists = errors.New("it exists already")
	// ErrNotFound is what Get returns if there is no object of that name.
	ErrNotFound = errors.New("it does not exist")
	// ErrCorrupt is what is returned for content that is not what was put.
	ErrCorrupt = errors.New("it is not what was written")
	// ErrFull is what Put and PutIfAbsent return for want of space.
	ErrFull = errors.New("the store is full")
)

// Lost reports whether err says that something in a store is gone or damaged, so that another try cannot help.
func Lost(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) }

// Store keeps objects by name (CheckName). All methods are safe for concurrent use, block, and end early with ctx's error when ctx
// ends. After any other error than those above a write may have happened or not.
type Store interface {
	// Put writes an object, in place of one of that name. Others see it as a whole or not at all, and what Put returned nil for
	// survives a crash.
	Put(ctx context.Context, name string, content io.Reader) error
	// PutIfAbsent does the same for a small object if there is none of that name, else ErrExists: of several callers
	// anywhere, at most one gets nil. One that repeats a request by itself may get ErrExists for what it wrote. content is not kept.
	PutIfAbsent(ctx context.Context, name string, content []byte) error
	// Get opens an object, or ErrNotFound.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List returns all objects whose names begin with prefix, sorted by name. What was put before the call is among them. prefix ends in "/".
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete removes an object. That there is none is no error.
	Delete(ctx context.Context, name string) error
}

// Object is one line of a list.
type Object struct {
	Name  string
	Bytes int64
}

// Bounds of names, in bytes.
const (
	MaxName    = 700
	MaxSegment = 200
)

// CheckName says whether name may name an object: segments of letters, digits and "-_.=", separated by "/", none of
// which begins with a dot.
func CheckName(name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("a name of %d bytes in a checkpoint store is more than %d", len(name), MaxName)
	}
	for s := range strings.SplitSeq(name, "/") {
		if err := checkSegment(s); err != nil {
			return fmt.Errorf("name %q in a checkpoint store: %w", name, err)
		}
	}
	return nil
}

// CheckPrefix says whether prefix may be listed: "" or a name with a "/" behind it.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	name, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("prefix %q in a checkpoint store does not end in /", prefix)
	}
	return CheckName(name)
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return errors.New("a part of it is empty")
	case len(s) > MaxSegment:
		return fmt.Errorf("a part of it is longer than %d bytes", MaxSegment)
	case s[0] == '.':
		return errors.New("a part of it begins with a dot")
	}
	for i := range len(s) {
		if !safe(s[i]) {
			return fmt.Errorf("%q may not be in it", s[i])
		}
	}
	return nil
}

func safe(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.=", c) >= 0
}

// readSmall reads an object of at most limit bytes.
func readSmall(ctx context.Context, s Store, name string, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrCorrupt, limit)
	}
	return b, nil
}

// putOnce is PutIfAbsent for content that nobody else writes: that it is there already is as good.
func putOnce(ctx context.Context, s Store, name string, content []byte) error {
	err := s.PutIfAbsent(ctx, name, content)
	if !errors.Is(err, ErrExists) {
		return err
	}
	if b, e := readSmall(ctx, s, name, int64(len(content))); e != nil || !bytes.Equal(b, content) {
		return err
	}
	return nil
}
