package file

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// pending is a file of an epoch on its way to its name. The exported fields are what a checkpoint says of it.
type pending struct {
	Temp  string `json:"temp"`
	Final string `json:"final"`
	Epoch uint64 `json:"epoch"`
	Bytes int64  `json:"bytes"`
	Dir   string `json:"dir,omitempty"`

	mu  sync.Mutex
	f   *os.File // nil once it is on disk
	err error    // why it never will be: the system tells of what it could not write once, and then takes it for written
}

func (p *pending) path(name string) string { return filepath.Join(p.Dir, name) }

// durable forces the file to disk and closes it.
func (p *pending) durable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f == nil || p.err != nil {
		return p.err
	}
	if p.err = p.f.Sync(); p.err != nil {
		return p.err
	}
	err := p.f.Close()
	p.f = nil
	return err
}

// failed returns why the file will never be on disk, nil if it may be.
func (p *pending) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f != nil {
		p.f.Close()
		p.f = nil
	}
}

// publish gives the file its name, unless it has it.
func (p *pending) publish() error {
	info, err := os.Lstat(p.path(p.Temp))
	if errors.Is(err, os.ErrNotExist) {
		return p.published()
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", p.Final, err)
	}
	if info.Size() != p.Bytes {
		return fmt.Errorf("publish %s: %w: %s has %d of %d bytes", p.Final, ErrLost, p.Temp, info.Size(), p.Bytes)
	}
	if _, err := os.Lstat(p.path(p.Final)); err == nil {
		return fmt.Errorf("publish %s: %w", p.path(p.Final), ErrExisting)
	}
	if err := os.Rename(p.path(p.Temp), p.path(p.Final)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return p.published() // by a former task that is still there
		}
		return fmt.Errorf("publish %s: %w", p.Final, err)
	}
	return syncDir(p.Dir)
}

// published returns nil if the file has its name, for good: who gave it that may not have come to say so.
func (p *pending) published() error {
	info, err := os.Lstat(p.path(p.Final))
	if errors.Is(err, os.ErrNotExist) {
		err = errTaken
	}
	if err != nil {
		return fmt.Errorf("publish %s, which was %s: %w", p.path(p.Final), p.Temp, err)
	}
	if info.Size() != p.Bytes {
		return fmt.Errorf("publish %s: %w: it has %d of %d bytes", p.path(p.Final), ErrLost, info.Size(), p.Bytes)
	}
	return syncDir(p.Dir)
}

// frozen is a sink's part in a checkpoint: the files that it has not published.
type frozen struct {
	dir   string
	files []*pending
}

func newFrozen(dir string, waiting []*pending) frozen { return frozen{dir, slices.Clone(waiting)} }

func (f frozen) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	for _, p := range f.files {
		if err := p.durable(); err != nil {
			return gearcore.Part{}, fmt.Errorf("write %s: %w", p.Temp, err)
		}
	}
	if len(f.files) == 0 {
		return gearcore.Part{Note: "nothing waits"}, nil
	}
	if err := syncDir(f.dir); err != nil {
		return gearcore.Part{}, err
	}
	data, err := json.Marshal(f.files)
	if err != nil {
		return gearcore.Part{}, err
	}
	return connect.Bytes(data, fmt.Sprintf("%d files to publish", len(f.files))).Save(ctx, to)
}

func (f frozen) Drop() {}

// finish publishes the files of a former task's part.
func (s *Sink) finish(from gearcore.Vault, part gearcore.TaskPart) error {
	data, err := connect.Content(context.Background(), from, part.Part)
	if err != nil || len(data) == 0 {
		return err
	}
	var files []*pending
	if err := json.Unmarshal(data, &files); err != nil {
		return connect.Misfit(part.Task, err)
	}
	for _, p := range files {
		if !filepath.IsLocal(p.Temp) || !filepath.IsLocal(p.Final) {
			return fmt.Errorf("part of task %d: names %q, %q", part.Task, p.Temp, p.Final)
		}
		if err := p.publishIn(s.opts.Dir); err != nil && !s.skips(err) {
			return err
		}
	}
	return nil
}

// publishIn is publish for a sink that writes into dir now: the file is where it was written, unless all were moved there.
func (p *pending) publishIn(dir string) error {
	if p.Dir == "" { // of a checkpoint that does not say
		p.Dir = dir
	}
	err := p.publish()
	if p.Dir != dir && errors.Is(err, ErrLost) {
		p.Dir = dir
		err = p.publish()
	}
	return err
}

// syncDir makes names in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// namer makes and knows the names of a sink's files. Hidden ones are made of the task's index, the generation that it works in with a number
// of its life, and a count, so that no two lives of a task ever use the same.
type namer struct {
	name, suffix string
	life         string
	n            int
}

// Digits of namer.life: of the generation, and of all.
const (
	generationDigits = 10
	lifeDigits       = 16
)

func newNamer(name, suffix string, generation uint64) namer {
	var b [(lifeDigits - generationDigits) / 2]byte
	rand.Read(b[:])
	return namer{name: name, suffix: suffix, life: fmt.Sprintf("%0*x%x", generationDigits, generation, b)}
}

func (n *namer) temp(index int) string {
	n.n++
	return fmt.Sprintf(".%s-%d-%s-%d", n.name, index, n.life, n.n)
}

func (n *namer) final(index int, epoch uint64) string {
	return fmt.Sprintf("%s-%d-%d%s", n.name, index, epoch, n.suffix)
}

// parse takes a name apart that temp or final of this namer or one like it made. at is the generation of a hidden file, and the epoch of another.
func (n *namer) parse(file string) (index int, at uint64, temp, ok bool) {
	rest, temp := strings.CutPrefix(file, ".")
	if rest, ok = strings.CutPrefix(rest, n.name+"-"); !ok {
		return 0, 0, false, false
	}
	if !temp {
		if rest, ok = strings.CutSuffix(rest, n.suffix); !ok {
			return 0, 0, false, false
		}
	}
	words := strings.Split(rest, "-")
	if temp && (len(words) != 3 || len(words[1]) != lifeDigits) || !temp && len(words) != 2 {
		return 0, 0, false, false
	}
	at, err := strconv.ParseUint(words[len(words)-1], 10, 64)
	if err == nil && temp {
		at, err = strconv.ParseUint(words[1][:generationDigits], 16, 64)
	}
	if err != nil {
		return 0, 0, false, false
	}
	if index, err = strconv.Atoi(words[0]); err != nil || index < 0 {
		return 0, 0, false, false
	}
	return index, at, temp, true
}
