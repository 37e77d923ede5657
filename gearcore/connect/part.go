package connect

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/gearcore"
)

// MaxContent bounds what Content reads, in bytes.
const MaxContent = 64 << 20

// Mine reports whether the task at index, one of tasks, takes over what belonged to the task that was at former: every
// former task's belongings go to one task, whatever their number was.
func Mine(former, index, tasks int) bool { return former%tasks == index }

// Bytes returns a Frozen that is data: inline in the checkpoint where it is short enough, else a file. data is kept.
func Bytes(data []byte, note string) gearcore.Frozen { return frozenBytes{data, note} }

type frozenBytes struct {
	data []byte
	note string
}

func (b frozenBytes) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	if len(b.data) <= gearcore.MaxInline {
		return gearcore.Part{Inline: b.data, Note: b.note}, nil
	}
	f, err := to.Put(ctx, "positions", bytes.NewReader(b.data))
	if err != nil {
		return gearcore.Part{}, fmt.Errorf("save positions: %w", err)
	}
	return gearcore.Part{Files: []gearcore.File{f}, Note: b.note}, nil
}

func (b frozenBytes) Drop() {}

// Misfit is the error of a component that finds the part of a task in a checkpoint that is of no such component: another class had its id. err, which may be
// nil, says how that is known.
func Misfit(task gearcore.TaskID, err error) error {
	why := fmt.Errorf("the part of task %d in the checkpoint is of a component of another class: give this one another id", task)
	if err != nil {
		why = fmt.Errorf("%w (%w)", why, err)
	}
	return &gearcore.MisfitError{Err: why}
}

// Content returns what Bytes saved as p; nil of an empty part.
func Content(ctx context.Context, from gearcore.Vault, p gearcore.Part) ([]byte, error) {
	if len(p.Files) == 0 {
		return p.Inline, nil
	}
	if p.Files[0].Bytes > MaxContent {
		return nil, fmt.Errorf("read %s: %d bytes are more than %d", p.Files[0].Name, p.Files[0].Bytes, MaxContent)
	}
	r, err := from.Get(ctx, p.Files[0])
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Files[0].Name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxContent))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Files[0].Name, err)
	}
	return data, nil
}
