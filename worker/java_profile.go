package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/multilang/jvmhost"
)

// jvm is the part of a Java process's host that profiling actions need.
type jvm interface {
	PID() int
	Jcmd(ctx context.Context, args ...string) ([]byte, error)
}

// jcmdFor is how long one of them may take: a dump of a large heap takes its time.
const jcmdFor = 2 * time.Minute

// jfrName is what our recordings are called inside the JVM.
const jfrName = "name=gearstorm"

// The same actions for the worker's Java process, where one runs: files of the same names, with its pid. Flight recordings end
// in .jfr, heaps are in the format that jmap writes.

func (p *profiler) javaStacks() error {
	out, err := p.jcmd("Thread.print", "-l")
	if err != nil || out == nil {
		return err
	}
	return p.write("jstack", "txt", p.process().PID(), func(w io.Writer) error { _, err := w.Write(out); return err })
}

func (p *profiler) javaHeap() error {
	return p.javaFile("heap", "bin", func(path string) []string { return []string{"GC.heap_dump", path} })
}

func (p *profiler) javaRecord() error {
	_, err := p.jcmd("JFR.start", jfrName, "settings=profile", fmt.Sprintf("maxage=%ds", int(maxRecording.Seconds())))
	return err
}

func (p *profiler) javaStop() error {
	return p.javaFile("recording", "jfr", func(path string) []string { return []string{"JFR.stop", jfrName, "filename=" + path} })
}

// javaFile has the JVM write a file.
func (p *profiler) javaFile(kind, ext string, command func(path string) []string) error {
	j := p.process()
	if j == nil || j.PID() == 0 {
		return nil
	}
	dir, err := filepath.Abs(p.dir)
	if err != nil {
		return err
	}
	name := dumpName(kind, ext, j.PID())
	path := filepath.Join(dir, name)
	if _, err := p.jcmd(command(path)...); err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("the JVM wrote no %s", name)
	}
	p.log.Info("dump is written", "file", name)
	return p.tidy()
}

// process is the Java process, nil where there is none.
func (p *profiler) process() jvm {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.java
}

// setProcess says which one it is.
func (p *profiler) setProcess(j jvm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.java = j
}

// jcmd returns nothing where no Java process runs.
func (p *profiler) jcmd(args ...string) ([]byte, error) {
	j := p.process()
	if j == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), jcmdFor)
	defer cancel()
	out, err := j.Jcmd(ctx, args...)
	if errors.Is(err, jvmhost.ErrNotRunning) {
		return nil, nil
	}
	return out, err
}
