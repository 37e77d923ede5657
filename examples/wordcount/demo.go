package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
)

const (
	// defaultBytes is how much of Go's own sources is counted if no text is named.
	defaultBytes = 20_000_000
	// patience is how long the demo waits for the next word to be counted before it gives up.
	patience = 90 * time.Second
	// pollEvery and showEvery are the intervals of looking at the progress and of showing it on a terminal.
	pollEvery   = 100 * time.Millisecond
	showEvery   = 500 * time.Millisecond
	showPlainly = 3 * time.Second
	// settleTime bounds the wait for the last statistics; after a kill they miss what the killed process had counted.
	settleTime = 2 * time.Second
)

var errInterrupted = errors.New("interrupted")

// demo is one run of the topology with its judge.
type demo struct {
	local  bool
	nimbus string
	kill   string  // component to kill half way, "" for none
	build  float64 // seconds, only passed on to the last line
	dir    string  // state of the run, removed when it went well
	keep   bool
	args   []string // of the topology
	files  []string

	text    *text
	table   table
	started time.Time
	took    time.Duration // from the submit to the last ack
}

func demoMain(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	d, err := newDemo(args)
	if err == nil {
		var v verdict
		if v, err = d.run(ctx); err == nil {
			fmt.Printf("words=%d distinct=%d lost=%d duplicated=%d build_s=%.1f run_s=%.1f\n", v.words, v.distinct, v.lost,
				v.duplicated, d.build, d.took.Seconds())
			if v.lost > 0 {
				return 1
			}
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "wordcount demo:", strings.ReplaceAll(err.Error(), "\n", "; "))
	return 2
}

// newDemo reads the command line. TEXT and KILL in the environment do as -text and -kill.
func newDemo(args []string) (*demo, error) {
	d := &demo{table: table{w: os.Stdout, terminal: isTerminal(os.Stdout)}}
	fs := flag.NewFlagSet("demo", flag.ExitOnError)
	fs.BoolVar(&d.local, "local", false, "run in this process, without a cluster")
	fs.StringVar(&d.nimbus, "nimbus", "", "`host:port` of Nimbus (default the gearstorm dev of this folder)")
	fs.StringVar(&d.kill, "kill", os.Getenv("KILL"), "kill -9 that process half way: spout, split, count or worker")
	fs.Float64Var(&d.build, "build", envFloat("BUILD_S"), "seconds that the build took, for the last line")
	fs.BoolVar(&d.keep, "keep", false, "keep the ledgers")
	texts := fs.String("text", os.Getenv("TEXT"), "files and folders to count, separated by blanks (default the first 20 MB of Go's sources)")
	limit := fs.Int64("limit", 0, "count about that many bytes; 0 counts everything")
	topIn := fs.String("top", "", "language of the bolt top: go or node (default node if it is there)")
	splits := fs.Int("split", 2, "number of Python processes")
	fs.Parse(args)

	if d.kill != "" && targets[d.kill] == "" {
		return nil, fmt.Errorf("kill %q: spout, split, count and worker are known", d.kill)
	}
	if d.local && d.kill != "" && d.kill != "split" {
		return nil, fmt.Errorf("kill %s: with -local only split has a process of its own", d.kill)
	}
	paths := strings.Fields(*texts)
	if len(paths) == 0 {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return nil, fmt.Errorf("find Go's sources to count, as no -text was given: %w", err)
		}
		paths = []string{filepath.Join(strings.TrimSpace(string(root)), "src")}
		if *limit == 0 {
			*limit = defaultBytes
		}
	}
	if *topIn == "" {
		*topIn = "go"
		if _, err := exec.LookPath("node"); err == nil {
			*topIn = "node"
		}
	}
	var err error
	if d.files, err = listText(paths, *limit); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(".gearstorm", 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	if d.dir, err = os.MkdirTemp(".gearstorm", "wordcount-"); err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	d.args = append([]string{"-dir", d.dir, "-limit", strconv.FormatInt(*limit, 10), "-top", *topIn, "-split", strconv.Itoa(*splits)}, paths...)
	return d, nil
}

func envFloat(name string) float64 {
	f, _ := strconv.ParseFloat(os.Getenv(name), 64)
	return f
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// run counts the text twice, plainly and by the topology, and compares.
func (d *demo) run(ctx context.Context) (verdict, error) {
	defer os.Remove(d.dir) // only if nothing came into it
	var err error
	if d.text, err = readText(d.files); err != nil {
		return verdict{}, err
	}
	if len(d.text.words) == 0 {
		return verdict{}, errors.New("there is no word in the text")
	}
	d.table.note("counting %s words in %d files", thousands(int64(len(d.text.words))), len(d.files))
	d.started = time.Now()
	top, err := d.start(ctx)
	if err != nil {
		return verdict{}, err
	}
	err = d.watch(ctx, top)
	if stopErr := top.stop(); err == nil {
		err = stopErr
	}
	if ctx.Err() != nil && !d.keep {
		return verdict{}, errors.Join(errInterrupted, d.waitGone(), os.RemoveAll(d.dir))
	}
	if err != nil {
		return verdict{}, fmt.Errorf("%w (the ledgers are in %s)", err, d.dir)
	}
	if err := d.waitGone(); err != nil {
		return verdict{}, err
	}
	v, err := judge(d.text, d.dir)
	if err == nil && v.foreign > 0 {
		err = fmt.Errorf("%d words were counted that do not stand in the text", v.foreign)
	}
	if err == nil && v.lost == 0 && !d.keep {
		err = os.RemoveAll(d.dir)
	}
	return v, err
}

// running is the topology, wherever it runs.
type running interface {
	// stats returns what is known of the components, and the errors they reported.
	stats(ctx context.Context) ([]componentStats, []string)
	// ended returns an error when the topology ended by itself.
	ended() error
	// stop ends the topology.
	stop() error
}

func (d *demo) start(ctx context.Context) (running, error) {
	o := gearstorm.Options{Args: d.args}
	if d.local {
		return startLocal(o), nil
	}
	o.Conf = map[string]any{"topology.workers": int64(2)}
	return startCluster(ctx, d.nimbus, o)
}

// watch shows the progress and kills what is to be killed, until every line is acked.
func (d *demo) watch(ctx context.Context, top running) error {
	var shown, moved, rated time.Time
	moved = d.started
	last, ratedAt := 0, 0
	s := status{all: len(d.text.words)}
	every := showEvery
	if !d.table.terminal {
		every = showPlainly
	}
	for {
		done, words, err := d.progress()
		if err != nil {
			return err
		}
		now := time.Now()
		if words != last {
			last, moved = words, now
		}
		if err := top.ended(); err != nil {
			return err
		}
		if now.Sub(moved) > patience {
			_, errs := top.stats(ctx)
			return fmt.Errorf("no word counted for %v: %s", patience, strings.Join(errs, "; "))
		}
		if d.kill != "" && 2*words >= s.all {
			if err := d.killNow(words); err != nil {
				return err
			}
		}
		if done {
			d.took = now.Sub(d.started)
			d.settle(ctx, top)
		}
		if done || now.Sub(shown) >= every {
			if !rated.IsZero() {
				s.rate = float64(words-ratedAt) / now.Sub(rated).Seconds()
			}
			shown, rated, ratedAt = now, now, words
			s.elapsed, s.words, s.top = now.Sub(d.started), words, d.top()
			s.components, _ = top.stats(ctx)
			d.table.show(s)
		}
		if done && d.kill != "" {
			d.table.note("nothing was killed: the text was counted before anybody could")
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-time.After(pollEvery):
		}
	}
}

// settle waits a little until the statistics, which workers report about once a second, have caught up with the count.
func (d *demo) settle(ctx context.Context, top running) {
	lines := int64(0)
	for _, starts := range d.text.lines {
		lines += int64(len(starts) - 1)
	}
	for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); time.Sleep(pollEvery) {
		components, _ := top.stats(ctx)
		for _, c := range components {
			if c.name == "lines" && c.acked >= lines {
				return
			}
		}
	}
}

// progress reads how far the spout is.
func (d *demo) progress() (done bool, words int, err error) {
	f, err := os.Open(filepath.Join(d.dir, "lines-0.progress"))
	if errors.Is(err, os.ErrNotExist) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, fmt.Errorf("look at the progress: %w", err)
	}
	defer f.Close()
	p, err := readProgress(f)
	if err != nil {
		return false, 0, err
	}
	return p.start.file >= len(d.text.lines), d.text.wordsBefore(p), nil
}

// top reads what the bolt of that name wrote last.
func (d *demo) top() []wordCount {
	data, err := os.ReadFile(filepath.Join(d.dir, "top.json"))
	var words []wordCount
	if err != nil || json.Unmarshal(data, &words) != nil {
		return nil // not there yet
	}
	return words
}

// targets are the components by the names that -kill knows.
var targets = map[string]string{"spout": "lines", "split": "split", "count": "count", "worker": "count"}

// killNow kills the process of the target, once.
func (d *demo) killNow(words int) error {
	pids, err := d.pids(targets[d.kill])
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("kill %s: no process of it is known", d.kill)
	}
	victim := pids[0]
	if d.kill == "count" { // rather one that does not take the spout along
		spouts, err := d.pids("lines")
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if len(spouts) > 0 && pid != spouts[0] {
				victim = pid
			}
		}
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s, process %d: %w", d.kill, victim, err)
	}
	d.table.note("killed the process of %s (%d) after %s words", d.kill, victim, thousands(int64(words)))
	d.kill = ""
	return nil
}

// waitGone waits until no process of the topology is left: until then they may still write into the folder.
func (d *demo) waitGone() error {
	deadline := time.Now().Add(stopTimeout)
	for _, component := range []string{"lines", "split", "count"} {
		pids, err := d.pids(component)
		if err != nil {
			return err
		}
		for _, pid := range pids {
			for pid != os.Getpid() && syscall.Kill(pid, 0) == nil {
				if time.Now().After(deadline) {
					return fmt.Errorf("process %d of %s did not end within %v of the end of the topology", pid, component, stopTimeout)
				}
				time.Sleep(pollEvery)
			}
		}
	}
	return nil
}

// pids reads the process ids that the tasks of a component left.
func (d *demo) pids(component string) ([]int, error) {
	names, err := filepath.Glob(filepath.Join(d.dir, component+"-*.pid"))
	if err != nil {
		return nil, err
	}
	var out []int
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the process of %s: %w", component, err)
		}
		pid, err := strconv.Atoi(string(data))
		if err != nil || pid <= 1 {
			return nil, fmt.Errorf("read the process of %s: %q is none", component, data)
		}
		out = append(out, pid)
	}
	return out, nil
}
