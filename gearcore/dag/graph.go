// Package dag plans: a Graph is what a topology means (processors joined by stream-labelled edges), a Plan is one Graph
// expanded to numbered tasks, executors and routes. Both are immutable once made. The package does no I/O and holds no
// goroutine; the same Graph, numbering and executors give the same Plan on Nimbus and on every worker.
//
// Words: a processor is a vertex (Storm's component), an edge's rule is its grouping, a Partitioner applies it.
package dag

import (
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Kind says what a processor does in the flow.
type Kind uint8

// The kinds of processors.
const (
	Spout Kind = iota + 1
	Bolt
	Acker  // __acker, built into the engine
	System // __system: no tasks of its own, the source of ticks
	Clock  // __clock of a timed topology: where its task is, its clocks and checkpoints are looked after
)

// Graph is one version of a topology's DAG. Cycles are allowed.
type Graph struct {
	ID         string // topology id
	Name       string
	Version    int64 // 1 at submit
	Hash       gearcore.HashMode
	Timed      bool           // its edges carry watermarks and markers, and every task has an executor of its own
	Conf       map[string]any // whole topology conf
	Processors []*Processor   // sorted by name in the order of Compare
}

// Processor is one vertex.
type Processor struct {
	Name      string
	Kind      Kind
	Tasks     int // >= 0; System has 0
	Executors int // 1..Tasks, 0 with no tasks
	Outputs   []Output
	Inputs    []Input
	Conf      map[string]any // the component's own keys only, as they survive Storm's merge
	Impl      Impl
}

// Output is one stream a processor declares.
type Output struct {
	Stream string
	Fields []string
	Direct bool
}

// Input subscribes a processor to one stream.
type Input struct {
	Source   string
	Stream   string
	Grouping Grouping
}

// ImplKind says where a processor's code is.
type ImplKind uint8

// The kinds of implementations.
const (
	ImplEngine ImplKind = iota // __acker, __clock and __system
	ImplGo                     // a component registered in the worker's binary under Name
	ImplShell                  // a child process that speaks multilang
	ImplNative                 // a class of Storm that every worker has in Go
	ImplJava                   // an object of the topology's own code, of class Name; it runs in a Java process
)

// Impl is a processor's code.
type Impl struct {
	Kind    ImplKind
	Name    string            // ImplGo: registered name; ImplNative: class; ImplJava: class, for people
	Args    []string          // ImplNative: of the constructor
	Command []string          // ImplShell: argv, never split or joined
	Env     map[string]string // ImplShell: added to the child's environment, PATH appended
	KeepDir bool              // ImplShell: run in the worker's directory, not in resources/
}

// GroupingKind is the rule of an edge.
type GroupingKind uint8

// Storm's groupings.
const (
	Fields GroupingKind = iota + 1 // by hash of named fields; no fields: Global
	Global                         // lowest task
	Shuffle
	LocalOrShuffle
	All
	None   // a random task for every tuple
	Direct // the emitter names the task
	PartialKey
	// Custom is a gearcore.CustomGrouping of the program, registered under Grouping.Name.
	Custom
	// KeyGroups is by hash of named fields to one of gearcore.KeyGroups groups, of which every task has a range. A
	// change of parallelism then moves whole groups. Both sides are Go; of what Storm's clients send only our YAML has it.
	KeyGroups
	// Foreign is a custom grouping that is applied where the code of the emitter runs; the engine only knows who it may
	// choose from. Grouping.Name is its class, for people.
	Foreign
)

var groupingNames = [...]string{"", "FIELDS", "GLOBAL", "SHUFFLE", "LOCAL_OR_SHUFFLE", "ALL", "NONE", "DIRECT", "PARTIAL_KEY", "CUSTOM", "KEY_GROUPS", "FOREIGN"}

// String returns Storm's upper-case name.
func (k GroupingKind) String() string {
	if int(k) < len(groupingNames) {
		return groupingNames[k]
	}
	return fmt.Sprintf("GROUPING(%d)", k)
}

// Grouping is an edge's rule with its fields (Fields, PartialKey and KeyGroups) or its name (Custom and Foreign).
type Grouping struct {
	Kind   GroupingKind
	Fields []string
	Name   string
}

// IgnoresContent reports whether the receivers of a tuple do not depend on its values. Those of a direct emit depend on
// the emitter.
func (k GroupingKind) IgnoresContent() bool {
	switch k {
	case Global, Shuffle, LocalOrShuffle, All, None:
		return true
	}
	return false
}

// Compare orders component names as Storm's TreeMap does, by UTF-16 code unit; task ids follow this order.
func Compare(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// Processor returns the processor called name, or nil.
func (g *Graph) Processor(name string) *Processor {
	i, ok := slices.BinarySearchFunc(g.Processors, name, func(p *Processor, n string) int { return Compare(p.Name, n) })
	if !ok {
		return nil
	}
	return g.Processors[i]
}

// Output returns the declared stream called name, or nil.
func (p *Processor) Output(name string) *Output {
	for i := range p.Outputs {
		if p.Outputs[i].Stream == name {
			return &p.Outputs[i]
		}
	}
	return nil
}
