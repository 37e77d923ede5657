package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// memVault is a checkpoint store in memory. It forgets what no checkpoint that counts names, as real ones do.
type memVault struct {
	mu    sync.Mutex
	n     int
	files map[string][]byte
	fail  int // so many Puts from now on fail, after a part of their content
	put   int64
}

func newVault() *memVault { return &memVault{files: map[string][]byte{}} }

var errFull = errors.New("no space left")

func (v *memVault) Put(ctx context.Context, name string, content io.Reader) (gearcore.File, error) {
	v.mu.Lock()
	failing := v.fail > 0
	if failing {
		v.fail--
	}
	v.mu.Unlock()
	if failing {
		io.CopyN(io.Discard, content, 100)
		return gearcore.File{}, errFull
	}
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, content); err != nil {
		return gearcore.File{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.n++
	v.put += int64(buf.Len())
	name = fmt.Sprintf("%s-%d", name, v.n)
	v.files[name] = buf.Bytes()
	return gearcore.File{Name: name, Bytes: int64(buf.Len())}, nil
}

func (v *memVault) Get(ctx context.Context, f gearcore.File) (io.ReadCloser, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.files[f.Name]
	if !ok {
		return nil, fmt.Errorf("there is no file %s", f.Name)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// retain deletes what the parts do not name.
func (v *memVault) retain(parts []gearcore.TaskPart) {
	v.mu.Lock()
	defer v.mu.Unlock()
	named := map[string]bool{}
	for _, p := range parts {
		for _, f := range p.Files {
			named[f.Name] = true
		}
	}
	for name := range v.files {
		if !named[name] {
			delete(v.files, name)
		}
	}
}
