package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// Keys of the topology's configuration that its components read, split.py and top.js among them.
const (
	keyDir   = "wordcount.dir"
	keyText  = "wordcount.text"
	keyLimit = "wordcount.limit"
)

// options is what the topology is told.
type options struct {
	dir   string   // where ledgers, positions and pids go
	text  []string // files and folders to count
	limit int64    // bytes of text, 0 for no limit
}

// define builds the topology from its arguments. It is called in every process of the topology, so it only looks at
// them; the components do the work when they are opened.
func define(b *storm.TopologyBuilder, args []string) error {
	fs := flag.NewFlagSet("wordcount", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	dir := fs.String("dir", "wordcount.out", "folder for ledgers and positions")
	limit := fs.Int64("limit", 0, "count about that many bytes; 0 counts everything")
	topIn := fs.String("top", "go", "language of the bolt top: go or node")
	splits := fs.Int("split", 2, "number of Python processes")
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("%w (arguments: [-dir FOLDER] [-limit BYTES] [-top go|node] [-split N] FILE...)", err)
	}
	if fs.NArg() == 0 {
		return errors.New("no text: name files or folders with .go and .txt files to count")
	}
	if err := addPaths(b, *dir, fs.Args()); err != nil {
		return err
	}
	b.AddConfig(keyLimit, *limit)
	// A line that a killed process had is emitted again after 5 to 10 seconds, and the spout waits for its oldest lines
	// rather than run ahead of them.
	b.MessageTimeout(5*time.Second).MaxSpoutPending(2000).AddConfig("topology.shellbolt.max.pending", 500)

	b.SetSpout("lines", storm.SpoutFactory(func() storm.Spout { return &lines{} }), 1).
		Fields("file", "line", "text")
	b.SetBolt("split", storm.ShellBolt("python3", "split.py"), *splits).
		ShuffleGrouping("lines").Fields("file", "line", "index", "word")
	b.SetBolt("count", storm.BoltFactory(func() storm.Bolt { return &count{} }), 2).
		FieldsGrouping("split", "word").Fields("word", "count").TickEvery(time.Second)
	var top storm.BoltSpec = storm.BoltFactory(func() storm.Bolt { return &topBolt{} })
	if *topIn == "node" {
		top = storm.ShellBolt("node", "top.js")
	}
	b.SetBolt("top", top, 1).GlobalGrouping("count").TickEvery(time.Second)
	return nil
}

// addPaths puts dir and text into the configuration, absolute, because workers have a working directory of their own.
func addPaths(b *storm.TopologyBuilder, dir string, text []string) error {
	abs := make([]string, 0, len(text))
	for _, p := range append([]string{dir}, text...) {
		a, err := filepath.Abs(p)
		if err != nil {
			return fmt.Errorf("find %s: %w", p, err)
		}
		abs = append(abs, a)
	}
	b.AddConfig(keyDir, abs[0]).AddConfig(keyText, abs[1:])
	return nil
}

// readConf reads the options back, and makes the folder.
func readConf(c conf.Conf) (options, error) {
	var o options
	var errs [4]error
	o.dir, errs[0] = c.String(keyDir)
	o.text, errs[1] = c.StringList(keyText)
	o.limit, errs[2] = c.IntOr(keyLimit, 0)
	if errs[0] == nil {
		errs[3] = os.MkdirAll(o.dir, 0o755)
	}
	return o, errors.Join(errs[:]...)
}

// writePID leaves the process id of a task, for the demo, which kills components to see what gets lost.
func (o options) writePID(component string, task storm.TaskID) error {
	name := filepath.Join(o.dir, fmt.Sprintf("%s-%d.pid", component, task))
	if err := os.WriteFile(name, fmt.Append(nil, os.Getpid()), 0o644); err != nil {
		return fmt.Errorf("write the process id: %w", err)
	}
	return nil
}
