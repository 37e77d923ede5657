package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/internal/gist"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	rowsKept  = 20 // checkpoints that people are told of
	notesKept = 8  // of the tasks of a component
	noteBytes = 80 // of one of them
	whyBytes  = 1 << 10
	partsKept = 64 // components
)

// Figures are counts since a Keeper was made, and the newest checkpoint that counts.
type Figures struct {
	Committed, Dropped int
	// Rollbacks are generations after the first one.
	Rollbacks int
	Epoch     uint64
	Took      time.Duration
	Bytes     int64
}

// Figures returns the counts so far.
func (k *Keeper) Figures() Figures {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.figures
}

// history is the newest checkpoints, newest first; Keeper.mu guards it. Rows are replaced, not changed.
type history struct {
	rows  []*stormrpc.CheckpointSummary
	parts []*stormrpc.CheckpointPart // of the checkpoint that is being committed
	clock int64
}

func (h *history) begin(epoch uint64) {
	row := &stormrpc.CheckpointSummary{Epoch: int64(epoch), BegunMs: time.Now().UnixMilli()}
	h.rows = append([]*stormrpc.CheckpointSummary{row}, h.rows[:min(len(h.rows), rowsKept-1)]...)
}

// change replaces the row of an epoch by one that f has changed.
func (h *history) change(epoch uint64, f func(*stormrpc.CheckpointSummary)) {
	i := slices.IndexFunc(h.rows, func(r *stormrpc.CheckpointSummary) bool { return r.Epoch == int64(epoch) })
	if i >= 0 {
		row := *h.rows[i]
		f(&row)
		h.rows = slices.Clone(h.rows)
		h.rows[i] = &row
	}
}

// committing remembers what a checkpoint consists of.
func (k *Keeper) committing(m *checkpoint.Manifest) {
	var parts []*stormrpc.CheckpointPart
	for _, c := range m.Components[:min(len(m.Components), partsKept)] {
		parts = append(parts, partOf(&c))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.history.parts, k.history.clock = parts, int64(m.Watermark)
}

func partOf(c *checkpoint.Component) *stormrpc.CheckpointPart {
	p := &stormrpc.CheckpointPart{Component: c.Name, Source: c.Source, Tasks: int32(len(c.Parts))}
	for i, t := range c.Parts {
		if w := int64(t.Watermark); i == 0 || w < p.WatermarkMs {
			p.WatermarkMs = w
		}
		p.Bytes += int64(len(t.Inline))
		for _, f := range t.Files {
			p.Bytes += f.Bytes
		}
		if t.Note != "" && len(p.Notes) < notesKept {
			p.Notes = append(p.Notes, gist.Of(t.Note, noteBytes))
		}
	}
	return p
}

// levels are those of notices in the log; others are for everybody.
var levels = map[checkpoint.NoticeKind]slog.Level{
	checkpoint.NoticeCut: slog.LevelDebug, checkpoint.NoticeCommit: slog.LevelDebug, checkpoint.NoticeDropped: slog.LevelWarn,
	checkpoint.NoticeStore: slog.LevelWarn, checkpoint.NoticeStart: slog.LevelWarn, checkpoint.NoticeFell: slog.LevelWarn, checkpoint.NoticeAlarm: slog.LevelError,
}

// noticed tells people what the coordinator notes.
func (k *Keeper) noticed(n checkpoint.Notice) {
	n.Why = gist.Of(n.Why, whyBytes)
	k.mu.Lock()
	trouble := k.noteLocked(n)
	k.mu.Unlock()
	if trouble != nil {
		k.cfg.Trouble(trouble)
	}
	k.cfg.Log.Log(context.Background(), levels[n.Kind], "checkpoints", slog.String("what", n.String()))
}

// noteLocked keeps what is told of it later, and returns what the topology's users should hear at once.
func (k *Keeper) noteLocked(n checkpoint.Notice) (trouble error) {
	switch n.Kind {
	case checkpoint.NoticeCut:
		k.history.begin(n.Epoch)
	case checkpoint.NoticeCommit:
		k.trouble = ""
		k.figures.Committed++
		k.figures.Epoch, k.figures.Took, k.figures.Bytes = n.Epoch, n.Took, n.Bytes
		took, clock, parts := n.Took.Milliseconds(), k.history.clock, k.history.parts
		k.history.change(n.Epoch, func(r *stormrpc.CheckpointSummary) {
			r.TookMs, r.Bytes, r.WatermarkMs, r.Parts = &took, &n.Bytes, &clock, parts
		})
	case checkpoint.NoticeDropped:
		k.figures.Dropped++
		k.history.change(n.Epoch, func(r *stormrpc.CheckpointSummary) {
			since := time.Now().UnixMilli() - r.BegunMs
			r.Failed, r.TookMs = &n.Why, &since
		})
	case checkpoint.NoticeKept:
		k.saves.toRead = append(k.saves.toRead, n.Name)
		wake(k.errand)
	case checkpoint.NoticeUnkept:
		why := n.Why
		if !strings.HasPrefix(why, "savepoint ") {
			why = "savepoint " + n.Name + ": " + why
		}
		k.saves.answer(n.Name, nil, why)
	case checkpoint.NoticeStore, checkpoint.NoticeStart:
		trouble := "waits for its store: " + n.Why
		if n.Kind == checkpoint.NoticeStart {
			trouble = "cannot " + n.Why
		}
		if k.trouble != trouble {
			k.trouble = trouble
			return fmt.Errorf("the store of checkpoints %s: %s", k.cfg.Where, n.Why)
		}
	case checkpoint.NoticeFell:
		return fmt.Errorf("checkpoint %d cannot be used: %s", n.Epoch, n.Why)
	case checkpoint.NoticeAlarm:
		return fmt.Errorf("%d checkpoints in a row came to nothing, the last one because: %s", n.Count, n.Why)
	case checkpoint.NoticeRests:
		k.rests = fmt.Sprintf("waits %v before it goes back, as %d generations in a row have broken, the last because: %s", n.Took, n.Count, n.Why)
	case checkpoint.NoticeBegan:
		if k.why != "" {
			k.figures.Rollbacks++
		}
		k.trouble, k.why, k.rests = "", n.Why, ""
		k.figures.Epoch = n.Epoch
	}
	return nil
}
