package storm

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gearstorm/gearstorm/gearcore"
)

// The engine's own types under the names that component code uses.
type (
	// Tuple is one tuple, as a bolt sees it: Tuple.String(0), Tuple.Field("word"), Tuple.Component().
	Tuple = gearcore.Tuple
	// Value is one field of a tuple and a spout's message id.
	Value = gearcore.Value
	// Collector emits, acks and fails. See its package for what Emit takes.
	Collector = gearcore.Collector
	// Async acts for a task from any goroutine.
	Async = gearcore.Async
	// Context tells a component who and where it is, and its configuration.
	Context = gearcore.Context
	// Credentials are the secrets that `storm upload-credentials` gives a running topology: Context.Credentials. A component
	// reads Values where it needs them, or is a CredentialsListener.
	Credentials = gearcore.Credentials
	// TaskID numbers a task in its topology, from 1.
	TaskID = gearcore.TaskID
)

// ErrIdle is what Spout.Next returns when it had nothing to emit; the engine then waits a little.
var ErrIdle = gearcore.ErrIdle

// ErrFailed, returned by a BoltFunc or Bolt.Execute (wrapped or not), fails the tuple without reporting an error:
// for tuples that should be replayed, such as when a service is away for a moment.
var ErrFailed = gearcore.ErrFailed

// Spout is a source of tuples.
type Spout interface {
	// Open is called once, before everything else. ctx and c may be kept; c may be used only inside calls.
	Open(ctx *Context, c *Collector) error
	// Next emits at most a few tuples and returns soon; it may not block. ErrIdle says that there was nothing.
	// Another error is reported and Next is called again.
	Next(c *Collector) error
}

// Bolt works on tuples.
type Bolt interface {
	// Prepare is called once, before everything else. ctx and c may be kept; c may be used only inside calls.
	Prepare(ctx *Context, c *Collector) error
	// Execute handles t. It calls c.Ack(t) or c.Fail(t), or keeps t and does so later. An error is reported and
	// fails t.
	Execute(t Tuple, c *Collector) error
}

// Acker is a Spout that wants to know which of the tuples it emitted with an id are completely processed.
type Acker interface{ Ack(id Value, c *Collector) }

// Failer is a Spout that wants to know which of the tuples it emitted with an id failed or timed out. It emits them
// again if they shall be processed at least once.
type Failer interface{ Fail(id Value, c *Collector) }

// Activator is a Spout that follows the status of its topology. Activate is also called before the first Next.
type Activator interface {
	Activate(c *Collector)
	Deactivate(c *Collector)
}

// Closer is a component with something to release. Close is called at an orderly shutdown; a killed process does not
// get to it.
type Closer interface{ Close() }

// Ticker is a Bolt that gets the ticks of TickEvery apart from its tuples. They need no ack.
type Ticker interface{ Tick(c *Collector) error }

// NoRetain is a Bolt that keeps no tuple, string, byte slice or value after Execute returned, so that their memory is used
// again at once. It then may not ack later either. A string that is to stay (the key of a map, say) needs a strings.Clone;
// what is emitted does not.
type NoRetain = gearcore.NoRetain

// checkSpout returns an error if s has a method with the name, but not the signature, of an optional interface: it
// would never be called, which nobody would notice. The names are literals so that the linker can still drop what is
// not used.
func checkSpout(s Spout) error {
	t := reflect.TypeOf(s)
	_, ack := t.MethodByName("Ack")
	_, fail := t.MethodByName("Fail")
	_, activate := t.MethodByName("Activate")
	_, deactivate := t.MethodByName("Deactivate")
	_, closes := t.MethodByName("Close")
	_, listens := t.MethodByName("SetCredentials")
	_, freezes := t.MethodByName("Freeze")
	_, restores := t.MethodByName("Restore")
	_, marks := t.MethodByName("Watermark")
	return errors.Join(
		checkMethod[Checkpointed](t, "Freeze", freezes), checkMethod[Checkpointed](t, "Restore", restores), checkMethod[Timed](t, "Watermark", marks),
		checkMethod[Acker](t, "Ack", ack), checkMethod[Failer](t, "Fail", fail),
		checkMethod[Activator](t, "Activate", activate), checkMethod[Activator](t, "Deactivate", deactivate),
		checkMethod[Closer](t, "Close", closes), checkMethod[CredentialsListener](t, "SetCredentials", listens))
}

// checkBolt is checkSpout for bolts.
func checkBolt(b Bolt) error {
	t := reflect.TypeOf(b)
	_, tick := t.MethodByName("Tick")
	_, closes := t.MethodByName("Close")
	_, listens := t.MethodByName("SetCredentials")
	_, frugal := t.MethodByName("NoRetain")
	_, freezes := t.MethodByName("Freeze")
	_, restores := t.MethodByName("Restore")
	_, advances := t.MethodByName("Advance")
	return errors.Join(
		checkMethod[Checkpointed](t, "Freeze", freezes), checkMethod[Checkpointed](t, "Restore", restores), checkMethod[Clocked](t, "Advance", advances),
		checkMethod[Ticker](t, "Tick", tick), checkMethod[Closer](t, "Close", closes), checkMethod[NoRetain](t, "NoRetain", frugal),
		checkMethod[CredentialsListener](t, "SetCredentials", listens))
}

// checkMethod returns an error if t has the method called name but does not implement I.
func checkMethod[I any](t reflect.Type, name string, has bool) error {
	if want := reflect.TypeFor[I](); has && !t.Implements(want) {
		return fmt.Errorf("method %s of %v does not fit the interface storm.%s, so it would never be called", name, t, want.Name())
	}
	return nil
}
