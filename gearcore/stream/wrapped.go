package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/gearcore"
)

// timeState is what a source's task knows of event time at a checkpoint: one for each of its generators.
type timeState []generatorState

type generatorState struct {
	Floor  int64            `json:"floor,omitempty"`
	Splits map[string]int64 `json:"splits,omitempty"`
}

func (r *run) freezeTimes() timeState {
	var out timeState
	for _, g := range r.generators {
		s := generatorState{Floor: g.floor, Splits: map[string]int64{}}
		for id, sp := range g.splits {
			s.Splits[id] = sp.max
		}
		out = append(out, s)
	}
	return out
}

// restoreTimes makes the generators of the index-th of tasks what they were. Splits that were with other tasks then hold it back only where the number
// of tasks was another one: those that it has then nobody knows before the source says (Out.Splits).
func (r *run) restoreTimes(parts []timeState, index, tasks int) {
	for i, g := range r.generators {
		fresh := newGenerator(g.w, g.clock)
		fresh.others = map[string]int64{}
		for at, p := range parts {
			if i >= len(p) {
				continue
			}
			own := len(parts) == tasks && at == index
			for id, m := range p[i].Splits {
				switch {
				case own || id != "" && len(parts) != tasks:
					fresh.enter(id)
					fresh.cur.max = max(fresh.cur.max, m)
				case id != "":
					fresh.others[id] = max(fresh.others[id], m)
				}
			}
			if own {
				fresh.floor = p[i].Floor
			} else if len(parts) != tasks && (at == 0 || p[i].Floor < fresh.floor) {
				fresh.floor = p[i].Floor
			}
		}
		fresh.cur = nil
		*g = *fresh
	}
}

// wrapped is the part of a source with the state of its times before it: in the inline part of the source's own if
// there is room, else in a file.
type wrapped struct {
	gearcore.Frozen
	times timeState
}

// timesFile is File.Meta of a file with times.
const timesFile = "times"

// envelope is the inline part of a wrapped source.
type envelope struct {
	Times  timeState `json:"times,omitempty"`
	Inline []byte    `json:"inline,omitempty"`
	Apart  bool      `json:"apart,omitempty"` // the first file holds Times and Inline
}

// Save implements gearcore.Frozen.
func (w wrapped) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	part, err := w.Frozen.Save(ctx, to)
	if err != nil {
		return part, err
	}
	whole, err := json.Marshal(envelope{Times: w.times, Inline: part.Inline})
	if err != nil {
		return part, fmt.Errorf("write the times of a source: %w", err)
	}
	if len(whole) > gearcore.MaxInline {
		f, err := to.Put(ctx, "times", bytes.NewReader(whole))
		if err != nil {
			return part, err
		}
		f.Meta = timesFile
		part.Files = append([]gearcore.File{f}, part.Files...)
		whole = []byte(`{"apart":true}`)
	}
	part.Inline = whole
	return part, nil
}

// unwrap returns what the source put into the parts of a checkpoint, and the times.
func unwrap(r *gearcore.Recovery) (*gearcore.Recovery, []timeState, error) {
	inner := *r
	inner.Parts = nil
	var times []timeState
	for _, p := range r.Parts {
		e, err := open(r, &p)
		if err != nil {
			return nil, nil, fmt.Errorf("read the times of task %d: %w", p.Task, err)
		}
		p.Inline = e.Inline
		inner.Parts, times = append(inner.Parts, p), append(times, e.Times)
	}
	return &inner, times, nil
}

// open returns the envelope of p, and takes the file that it may be in out of p.
func open(r *gearcore.Recovery, p *gearcore.TaskPart) (envelope, error) {
	var e envelope
	if err := json.Unmarshal(p.Inline, &e); err != nil || !e.Apart {
		return e, err
	}
	if len(p.Files) == 0 || p.Files[0].Meta != timesFile {
		return e, errors.New("they should be in a file, and there is none")
	}
	f, err := r.Vault.Get(context.Background(), p.Files[0])
	if err != nil {
		return e, err
	}
	defer f.Close()
	whole, err := io.ReadAll(f)
	if err != nil {
		return e, err
	}
	p.Files = p.Files[1:]
	err = json.Unmarshal(whole, &e)
	return e, err
}
