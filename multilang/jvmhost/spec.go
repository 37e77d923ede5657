package jvmhost

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Config says how the Java process of a Host is started.
type Config struct {
	// Java is the program. Default: java, from PATH.
	Java string
	// Args are its arguments: options, class path, main class.
	Args []string
	// Command, if it is set, is asked before every start, and takes the place of Java and Args. An error is a loss like
	// others, so that what was missing may come while tasks wait.
	Command func() (Command, error)
	// Explain may return a sentence that tells more of a loss; may be nil.
	Explain func(*LostError) string
	// Dir is where the folder of the socket is made; its path should not be long (a socket's may have about 100 bytes).
	// Default: the system's folder for temporary files.
	Dir string
	// Log gets what happens to the process, Output what it prints, line by line. Default: nobody, and Log.
	Log, Output *slog.Logger
	// Grace is how long the process may take to end by itself when the host ends. Default 2 s.
	Grace time.Duration
	// StartTimeout is how long the process may take to open a channel that it was told to open; then it is killed and started
	// again, as after any loss. Default 1 minute.
	StartTimeout time.Duration
	// Silence is how long the process may leave questions unanswered before it is killed and started again. It answers them
	// on a thread of its own, however busy its tasks are. Default 30 s.
	Silence time.Duration
	// FirstWait is the pause before the process is started again; it doubles with every loss up to MaxWait, and is
	// forgotten after a life longer than MaxWait. Defaults 100 ms and 30 s.
	FirstWait, MaxWait time.Duration
}

// Command is how a process is started.
type Command struct {
	Java string
	Args []string
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Args) == 0 && c.Command == nil {
		return c, errors.New("jvm host config: Args is empty, it needs a main class at least")
	}
	if c.Grace < 0 || c.StartTimeout < 0 || c.Silence < 0 || c.FirstWait < 0 || c.MaxWait < 0 {
		return c, errors.New("jvm host config: a negative Grace, StartTimeout, Silence, FirstWait or MaxWait")
	}
	if c.Command == nil {
		cmd := Command{Java: orElse(c.Java, "java"), Args: c.Args}
		c.Command = func() (Command, error) { return cmd, nil }
	}
	c.Grace = orElse(c.Grace, 2*time.Second)
	c.StartTimeout = orElse(c.StartTimeout, time.Minute)
	c.Silence = orElse(c.Silence, 30*time.Second)
	c.FirstWait = orElse(c.FirstWait, 100*time.Millisecond)
	c.MaxWait = max(orElse(c.MaxWait, 30*time.Second), c.FirstWait)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Output == nil {
		c.Output = c.Log
	}
	return c, nil
}

// Output is one output stream of a task, as Java is told of it.
type Output struct {
	Stream string
	// Tasks are those that Java chooses from, ascending. Empty: it leaves the choice to Go's groupings.
	Tasks []gearcore.TaskID
}

// Spec says how a Bolt or a Spout deals with Java.
type Spec struct {
	// Outputs are the streams that Java may emit on, by the places that it names them by.
	Outputs []Output
	// WindowBatches and WindowBytes bound the frames that are sent and not executed. Defaults 32 and 1 MiB.
	WindowBatches, WindowBytes int
	// EmitBytes bounds what Java may emit ahead of the executor. Default 512 KiB.
	EmitBytes int
	// MessageTimeout is the topology's; what nobody settled for three of it is forgotten. 0: never.
	MessageTimeout time.Duration
	// Checkpoints: the topology of a Bolt has them. Then its component begins with Restore, and not without.
	Checkpoints bool
	// Graph is the version of the topology's graph that the task is made for; Host.SetVersion has made it known. 0 where there are none.
	Graph int64
	// MaxPending is how many tracked tuples of a Spout may be under way; 0: any number.
	MaxPending int
}

func (s Spec) withDefaults() (Spec, error) {
	if s.WindowBatches < 0 || s.WindowBytes < 0 || s.EmitBytes < 0 || s.EmitBytes > math.MaxInt32 || s.MessageTimeout < 0 || s.MaxPending < 0 {
		return s, fmt.Errorf("jvm task spec: WindowBatches %d, WindowBytes %d, EmitBytes %d, MessageTimeout %v or MaxPending %d is out of range",
			s.WindowBatches, s.WindowBytes, s.EmitBytes, s.MessageTimeout, s.MaxPending)
	}
	s.WindowBatches = orElse(s.WindowBatches, 32)
	s.WindowBytes = orElse(s.WindowBytes, 1<<20)
	s.EmitBytes = orElse(s.EmitBytes, 512<<10)
	return s, nil
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// LostError tells how the Java process was lost. What it held was failed, and it is started again.
type LostError struct {
	PID    int    // 0 if it could not be started
	Exit   string // how it ended
	Cause  error  // what this side had against it; nil if it ended by itself
	Output string // the end of what it printed
	Hint   string // what Config.Explain says of it
	Wait   time.Duration
}

// Lost says that a process that executes tasks ended.
func (e *LostError) Lost() bool { return true }

func (e *LostError) Error() string {
	s := fmt.Sprintf("java process %d was lost", e.PID)
	if e.PID == 0 {
		s = "java process could not be started"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	if e.Exit != "" {
		s += ": " + e.Exit
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	s += fmt.Sprintf("; next start in %v", e.Wait)
	if e.Output != "" {
		s += "; it printed: " + e.Output
	}
	return s
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Cause }
