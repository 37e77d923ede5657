package jvmhost

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Once runs main classes of the Java side that end by themselves. The zero value has Storm's jars alone.
type Once struct {
	Install Install
	Jars    []string // behind Storm's own on the class path
	Args    []string // for the JVM
	Env     []string // nil: this process's
	Output  io.Writer
}

// Run runs a class until it ends, or ends it with ctx. What it prints goes to Output; the last line of it is in the error of
// one that fails. Errors are *MissingError where Java cannot run.
func (o Once) Run(ctx context.Context, class string, args ...string) error {
	ready, err := o.Install.Find()
	if err != nil {
		return err
	}
	argv := append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.level=WARN", "-Dlog4j2.disableJmx=true"}, o.Args...)
	argv = append(argv, "-cp", strings.Join(ready.ClassPath(o.Jars...), string(os.PathListSeparator)), class)
	said := &passed{to: o.Output}
	cmd := exec.CommandContext(ctx, ready.Java, append(argv, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = o.Env, said, said, 5*time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("the JVM ended with %w%s%s", err, said.why(cmd.ProcessState.ExitCode()), said.last())
	}
	return nil
}

// why is what an exit status mostly means; "" if that is clear from what was printed.
func (p *passed) why(status int) string {
	switch said := func(text string) bool { return bytes.Contains(p.end, []byte(text)) }; {
	case said("OutOfMemoryError"):
		return ", for want of memory (see -Xmx)"
	case said("Could not create the Java Virtual Machine"):
		return ", because an option of it is wrong"
	case status == -1:
		return ", so somebody else ended it"
	case said("Exception in thread"), said("Error: "):
		return ""
	}
	return ", as it does when user code calls System.exit"
}

// passed passes on what is written and keeps the end of it.
type passed struct {
	to  io.Writer
	end []byte
}

// Write implements io.Writer.
func (p *passed) Write(b []byte) (int, error) {
	p.end = append(p.end, b...)
	p.end = p.end[max(0, len(p.end)-maxTail):]
	if p.to != nil {
		return p.to.Write(b)
	}
	return len(b), nil
}

// last is the last line, for the end of an error.
func (p *passed) last() string {
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(p.end, nil))), "\n")
	if l := strings.TrimSpace(lines[len(lines)-1]); l != "" {
		return ": " + l
	}
	return ""
}
