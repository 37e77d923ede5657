package dynamic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// Submission describes the topology of an Edited. Zero fields mean nothing, where it does not say otherwise.
type Submission struct {
	// Cluster is where it runs. Binary is gearstorm.
	Cluster *chaos.Cluster
	Binary  string
	// Name is what it is called. Dir gets its files, on a disk that all workers see; it must exist and be absolute.
	Name, Dir string
	// Rate is how many records a second both sources emit together. Counters is how many tasks count; default 2.
	Rate, Counters int
	// PadBytes, if not 0, is what counters keep beside each of Keys keys; nothing is in Python then.
	PadBytes, Keys int
	// Conf goes over the topology's configuration; it says where checkpoints are and how many.
	Conf map[string]any
}

// Edited is the topology of this package in the hands of somebody who edits it while its cluster is being broken. A command that
// fails may have done its work all the same: what it did is learnt from the versions that the cluster tells of, before the next one. It is for one
// goroutine at a time.
type Edited struct {
	// Exact is what the topology is for exact.Check.
	Exact exact.Topology
	// Wrong names what must not be; at most a few.
	Wrong []string

	name   string
	cmd    commands
	config map[string]any
	book   book
	edits  int
}

// Start starts the topology.
func (s Submission) Start(ctx context.Context) (*Edited, error) {
	masters, err := s.masters()
	if err != nil {
		return nil, err
	}
	e := &Edited{name: s.Name, cmd: commands{s.Binary, masters, filepath.Join(s.Dir, "topology")}}
	e.Exact = exact.Topology{
		Dir: filepath.Join(s.Dir, "files"), Records: manyRecords, Rate: s.Rate / sources, Sources: sources, Sinks: sinks, Stamp: true, Keys: s.Keys,
	}
	if err := os.Mkdir(e.Exact.Dir, 0o700); err != nil {
		return nil, err
	}
	now := first()
	count := now[countName]
	setDefault(&s.Counters, count.Tasks)
	count.Tasks = s.Counters
	now = now.With(countName, count)
	if s.PadBytes > 0 {
		work := now[workName]
		work.Language = Go
		now = now.With(workName, work)
	}
	if e.config, err = (Topology{Exact: e.Exact, PadBytes: s.PadBytes}).config(s.Conf); err != nil {
		return nil, err
	}
	file, err := e.cmd.write(now, s.Name, e.Exact.Dir, e.config)
	if err != nil {
		return nil, err
	}
	e.book = newBook(now)
	return e, until(ctx, settleLimit, checkEvery, "the submit of "+s.Name, func() error {
		err := e.cmd.run(ctx, nil, "submit", file)
		if err != nil && e.learn(ctx) == nil {
			return nil // it got no answer, and is there
		}
		return err
	})
}

// masters are the options of commands that name all masters of the cluster: which one leads changes.
func (s Submission) masters() ([]string, error) {
	conf := map[string]any{}
	var hosts []string
	for _, seed := range s.Cluster.Seeds() {
		host, port, err := net.SplitHostPort(seed)
		if err != nil {
			return nil, err
		}
		hosts, conf["nimbus.thrift.port"] = append(hosts, host), json.Number(port)
	}
	conf["nimbus.seeds"] = hosts
	text, err := json.Marshal(conf) // JSON is YAML
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.Dir, "storm.yaml")
	return []string{"--config", file}, os.WriteFile(file, text, 0o600)
}

// Edit makes an edit that rnd chooses. An error says that its command failed: then it is in force or not, or is yet to be.
func (e *Edited) Edit(ctx context.Context, rnd *rand.Rand) (Edit, error) {
	if err := e.learn(ctx); err != nil {
		return Edit{}, err
	}
	e.edits++
	edit := Choose(rnd, e.book.now, e.book.kept, e.edits)
	return edit, e.carryOut(ctx, edit, false)
}

// Last makes an edit that nothing is in the way of, and returns when the whole topology runs as that says.
func (e *Edited) Last(ctx context.Context) error {
	return until(ctx, settleLimit, time.Second, "the last edit", func() error {
		if err := e.learn(ctx); err != nil {
			return err
		}
		was, count := e.book.now, e.book.now[countName]
		count.Tasks = count.Tasks%mostTasks + 1
		edit := Edit{Kind: Rescale, What: fmt.Sprintf("%s to %d tasks", countName, count.Tasks), Next: was.With(countName, count)}
		began := time.Now()
		if err := e.carryOut(ctx, edit, true); err != nil {
			return err
		}
		return until(ctx, forceLimit, 20*time.Millisecond, edit.What, func() error {
			_, err := inForce(e.Exact.Dir, was, edit.Next, began)
			return err
		})
	})
}

// carryOut has the command of an edit run and notes what is known after it.
func (e *Edited) carryOut(ctx context.Context, edit Edit, wait bool) error {
	file, err := e.cmd.write(edit.Next, e.name, e.Exact.Dir, e.config)
	if err != nil {
		return err
	}
	got, err := e.cmd.made(ctx, e.name, file, edit, wait)
	switch {
	case err == nil:
		e.book.answered(Version{got.Version, edit.Next})
	case edit.Kind != Rollback && !refused(err): // of a version that went back the cluster tells
		e.book.open = append(e.book.open, edit.Next)
	}
	return err
}

// refused says that a command is known to have done nothing.
func refused(err error) bool {
	status, ok := errors.AsType[*exec.ExitError](err)
	return errors.Is(err, errNoChange) || ok && status.ExitCode() == refusedStatus
}

// refusedStatus is the exit status of a change that was refused.
const refusedStatus = 2

// learn asks the cluster for the versions of the topology.
func (e *Edited) learn(ctx context.Context) error {
	var all []told
	if err := e.cmd.run(ctx, &all, "history", e.name, "-o", "json"); err != nil {
		return err
	}
	if wrong := e.book.learn(all); wrong != "" && len(e.Wrong) < mostWrong {
		e.Wrong = append(e.Wrong, wrong)
	}
	return nil
}

const mostWrong = 5
