package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// KillWorkers ends the processes of all workers of the node whose state is in cfg.LocalDir, and says how many workers had any. It
// needs no supervisor; one that runs notices the ends and starts workers again. A worker that does not end in ten seconds is
// part of the error, and the others end nevertheless.
func KillWorkers(ctx context.Context, cfg Config) (workers int, err error) {
	dir := filepath.Join(cfg.LocalDir, "workers")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // no supervisor has run here
	}
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	var failed []error
	for _, e := range entries {
		ended, err := isolate.Sweep(ctx, e.Name(), isolate.None{})
		if ended > 0 {
			workers++
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("end worker: %w", err))
		}
	}
	return workers, errors.Join(failed...)
}

// CheckHealth runs the health checks of the node once and says what the first bad one found, "" if all is well.
func CheckHealth(ctx context.Context, cfg Config) (unfit string, err error) {
	if cfg, err = cfg.checked(); err != nil {
		return "", err
	}
	s := &Supervisor{cfg: cfg}
	unfit = s.checkHealth(ctx)
	return unfit, ctx.Err()
}
