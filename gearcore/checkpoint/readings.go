package checkpoint

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Readings is the Vault of one Restore. It knows which large files were opened and not read to their ends, where it shows whether they are what was
// put: what decodes and stops before may be damaged.
type Readings struct {
	gearcore.Vault

	mu     sync.Mutex
	unread map[string]gearcore.File
}

// NewReadings returns the Vault of a Restore that has read nothing yet.
func NewReadings(v gearcore.Vault) *Readings {
	return &Readings{Vault: v, unread: map[string]gearcore.File{}}
}

// Get implements gearcore.Vault.
func (r *Readings) Get(ctx context.Context, f gearcore.File) (io.ReadCloser, error) {
	in, err := r.Vault.Get(ctx, f)
	if err != nil || f.Bytes <= small {
		return in, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unread[f.Name] = f
	return &reading{in, func() { r.read(f) }}, nil
}

func (r *Readings) read(f gearcore.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unread, f.Name)
}

// Verify reads the files that were not read to their ends. Lost says of its error that one is damaged.
func (r *Readings) Verify(ctx context.Context) error {
	r.mu.Lock()
	files := slices.Collect(maps.Values(r.unread))
	r.mu.Unlock()
	return Verify(ctx, r.Vault, []gearcore.TaskPart{{Part: gearcore.Part{Files: files}}})
}

// reading is a file that is being read.
type reading struct {
	io.ReadCloser
	ended func()
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err == io.EOF {
		r.ended()
	}
	return n, err
}
