package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// manifestPatience is how long reading a manifest may take.
const manifestPatience = time.Minute

// saved is how tasks get to what checkpoints hold of them.
type saved struct {
	store    checkpoint.Store
	topology string

	mu       sync.Mutex           // over reading: what one component asks for the others will
	manifest *checkpoint.Manifest // read last
}

// vault is where tasks write for a checkpoint, or read one.
func (s *saved) vault(epoch uint64) gearcore.Vault {
	return checkpoint.NewVault(s.store, s.topology, epoch)
}

// parts is what a component had in a checkpoint; nothing if it is new.
func (s *saved) parts(epoch uint64, component string) ([]gearcore.TaskPart, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manifest == nil || s.manifest.Epoch != epoch {
		ctx, cancel := context.WithTimeout(context.Background(), manifestPatience)
		defer cancel()
		m, err := checkpoint.ReadManifest(ctx, s.store, s.topology, epoch)
		if err != nil {
			return nil, fmt.Errorf("read checkpoint %d: %w", epoch, err)
		}
		s.manifest = m
	}
	if c := s.manifest.Component(component); c != nil {
		return c.Parts, nil
	}
	return nil, nil
}
