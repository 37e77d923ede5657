package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// maxManifest bounds what is read and written as a manifest, in bytes.
const maxManifest = 64 << 20

// Manifest is all that a checkpoint consists of.
type Manifest struct {
	Topology string `json:"topology"`
	// Epoch is the checkpoint's, Generation that in which it was made.
	Epoch      uint64    `json:"epoch"`
	Generation uint64    `json:"generation"`
	Time       time.Time `json:"time"`
	// Plan is the version of the plan whose tasks it has.
	Plan int64 `json:"plan,omitempty"`
	// Watermark is the lowest of all tasks: the clock of the topology at the checkpoint.
	Watermark  gearcore.Watermark `json:"watermark,omitempty"`
	Components []Component        `json:"components"`
}

// Component is what the tasks of a component have in a checkpoint.
type Component struct {
	Name   string `json:"name"`
	Source bool   `json:"source,omitempty"`
	// Parts has one for each task, in the order of their indices.
	Parts []gearcore.TaskPart `json:"parts"`
}

// Component returns the one called name, or nil.
func (m *Manifest) Component(name string) *Component {
	for i := range m.Components {
		if m.Components[i].Name == name {
			return &m.Components[i]
		}
	}
	return nil
}

// Bytes is the size of all its files and parts. Files that checkpoints share count in each.
func (m *Manifest) Bytes() int64 {
	n := int64(0)
	for f := range m.files {
		n += f.Bytes
	}
	for _, c := range m.Components {
		for _, p := range c.Parts {
			n += int64(len(p.Inline))
		}
	}
	return n
}

// files yields all files that it names.
func (m *Manifest) files(yield func(gearcore.File) bool) {
	for _, c := range m.Components {
		for _, p := range c.Parts {
			for _, f := range p.Files {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// ReadManifest returns the manifest of a checkpoint that counts: what workers restore from when Order.Restore names it. Lost says
// of an error that the checkpoint cannot be used.
func ReadManifest(ctx context.Context, s Store, topology string, epoch uint64) (*Manifest, error) {
	return readManifest(ctx, s, areaOf(topology).manifest(epoch))
}

func readManifest(ctx context.Context, s Store, name string) (*Manifest, error) {
	b, err := readSmall(ctx, s, name, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", name, err)
	}
	m := new(Manifest)
	if err := unseal("manifest", b, m); err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", name, err)
	}
	return m, nil
}

func (m *Manifest) seal() ([]byte, error) {
	b, err := seal("manifest", m)
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("the manifest of epoch %d has %d bytes, more than %d: parts as large as that belong into files", m.Epoch, len(b), maxManifest)
	}
	return b, err
}
