package connecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// ErrStore is what a Vault that was told to Fail returns.
var ErrStore = errors.New("the store was told to fail")

// Vault is a checkpoint store in memory.
type Vault struct {
	mu    sync.Mutex
	files map[string][]byte
	fails int
}

// NewVault returns an empty Vault.
func NewVault() *Vault { return &Vault{files: map[string][]byte{}} }

// Fail makes the next n calls of Put fail.
func (v *Vault) Fail(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fails = n
}

// Put implements gearcore.Vault.
func (v *Vault) Put(_ context.Context, name string, content io.Reader) (gearcore.File, error) {
	data, err := io.ReadAll(content)
	if err != nil {
		return gearcore.File{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fails > 0 {
		v.fails--
		return gearcore.File{}, ErrStore
	}
	name = fmt.Sprintf("%s-%d", name, len(v.files))
	v.files[name] = data
	return gearcore.File{Name: name, Bytes: int64(len(data)), Sum: xxhash.Sum64(data)}, nil
}

// Get implements gearcore.Vault.
func (v *Vault) Get(_ context.Context, f gearcore.File) (io.ReadCloser, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	data, ok := v.files[f.Name]
	if !ok || xxhash.Sum64(data) != f.Sum {
		return nil, fmt.Errorf("no such file as %s was put", f.Name)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
