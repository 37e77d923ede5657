package gearcore

import "time"

// TaskID numbers a task in its topology, from 1, as users, UIs and state keys see it. SystemTask is the task of
// __system, which every worker has.
type TaskID int32

// SystemTask is the source of ticks.
const SystemTask TaskID = -1

// StreamID is the index of a stream (component and name) in the Layout of a topology.
type StreamID int32

// Stream is one output stream of one component.
type Stream struct {
	Component string
	Name      string
	Fields    []string
	Direct    bool
}

// Layout holds the immutable tables of one version of an expanded DAG that a tuple needs to explain itself. It is
// shared by all batches; nobody changes it.
type Layout struct {
	Streams    []Stream          // by StreamID; those of earlier versions keep their place
	Components map[TaskID]string // every task, __system included
	// Gone are tasks of earlier versions, which are in Components no more: what they sent, or was sent to them, may be under way.
	Gone map[TaskID]string
	Hash HashMode
}

// ComponentOf returns the component of a task that there is or was, "" for one that there never was.
func (l *Layout) ComponentOf(id TaskID) string {
	if name, ok := l.Components[id]; ok {
		return name
	}
	return l.Gone[id]
}

// RootEdge is one reference of a tuple to the root of its tree: Root is its number in a book of this process (package
// ackers) and Edge the number of the book. Neither means anything in another process.
type RootEdge struct{ Root, Edge uint64 }

// Row is the header of one tuple in a Batch. Its values are Vals[Off:Off+Len], its anchors Roots[RootOff:RootOff+RootLen].
//
// AckVal and Flags belong to the consuming executor: AckVal is the number of tuples anchored to this one that are not
// counted yet, the settled bit makes a second ack or fail harmless.
type Row struct {
	AckVal  uint64
	Off     uint32
	RootOff uint32
	Stream  StreamID
	Source  TaskID
	RootLen uint32
	Len     uint16
	Flags   RowFlags
}

// RowFlags are bits of a row.
type RowFlags uint16

// RowSettled is set once the tuple was acked or failed.
const RowSettled RowFlags = 1

// AckOp says what an Ack means.
type AckOp uint8

// What is said about a root. To its owner: AckDone (the tree is complete), AckFail, AckReset (start its timeout again).
// AckInit and AckXor are for the XOR ledger alone (runtime names of Storm's messages: __ack_init, __ack_ack).
const (
	AckInit AckOp = iota + 1
	AckXor
	AckFail
	AckReset
	AckDone
)

// Ack says something about one root.
type Ack struct {
	Root  uint64
	Val   uint64 // the root's book, as RootEdge.Edge; for the XOR ledger the XOR of edges
	Spout TaskID // for the XOR ledger
	More  uint16 // it is said of that many roots that follow Root as well; to spout executors only
	Op    AckOp
}

// Batch is what moves between executors: the tuples that one executor sent to one task, in order, over one or
// several streams; or what became of roots. Rows, Vals and Roots are slabs. A batch holds rows or acks, not both. Who
// may hold it when stands in recycled.go.
//
// Epoch is the session of the link it travels on, Seq its place in that link, Plan the version of the plan by which the
// sender chose this worker. Watermark and Marker carry event time and checkpoint epochs: they hold behind the rows.
// Generation is the sender's, and Behind how many rows it has sent to the target before, in that generation: a receiver that has
// not got as many has lost some. All of these are zero where nothing uses them.
type Batch struct {
	Layout *Layout
	Target TaskID
	From   TaskID // first task of the sending executor
	Rows   []Row
	Vals   []Value
	Roots  []RootEdge
	Acks   []Ack

	Epoch     uint64
	Seq       uint64
	Plan      uint64
	Watermark Watermark
	Marker    uint64

	Generation uint64
	Behind     uint64

	// Size is what Bytes said when the batch was handed over; inboxes and links count with it.
	Size int
	// At is when it came into the inbox it waits in, by the clock of that engine.
	At time.Duration
	// Next links batches in an inbox; only the holder of the batch uses it.
	Next *Batch
	// Done, if not nil, is called once by the consumer when it has finished with the batch: a link returns credit, an
	// executor takes the batch back for reuse. User code may still hold tuples of it unless its task is NoRetain.
	Done func(*Batch)

	gen uint32 // in builds with the race detector: how often it was Reset
}

// Untrack takes all rows out of their trees, without a word to anybody.
func (b *Batch) Untrack() {
	for i := range b.Rows {
		b.Rows[i].RootOff, b.Rows[i].RootLen = 0, 0
	}
	b.Roots = b.Roots[:0]
}

// Len returns the number of rows and acks.
func (b *Batch) Len() int { return len(b.Rows) + len(b.Acks) }

// Tuple returns row i as a tuple.
func (b *Batch) Tuple(i int) Tuple {
	t := Tuple{b: b, i: int32(i)}
	if checked {
		t.gen = b.gen
	}
	return t
}

// Append adds a row with a copy of vals and roots to the slabs. The strings inside vals are kept, not copied. vals may be
// the free end of b.Vals itself.
func (b *Batch) Append(stream StreamID, source TaskID, vals []Value, roots []RootEdge) {
	r := b.addRow()
	r.Off, r.Len = uint32(len(b.Vals)), uint16(len(vals))
	r.RootOff, r.RootLen = uint32(len(b.Roots)), uint32(len(roots))
	r.Stream, r.Source = stream, source
	if n := len(b.Vals); len(vals) > 0 && cap(b.Vals)-n >= len(vals) && &b.Vals[:n+1][n] == &vals[0] {
		b.Vals = b.Vals[:n+len(vals)]
	} else {
		b.Vals = appendVals(b.Vals, vals)
	}
	switch len(roots) {
	case 0:
	case 1:
		b.Roots = append(b.Roots, roots[0])
	default:
		b.Roots = append(b.Roots, roots...)
	}
}

// addRow appends a row and returns it, to be filled in place but for AckVal, RootLen and Flags, which are 0: a Row that
// is put together elsewhere and copied costs several nanoseconds, because the copy reads wider than the fields were
// written.
func (b *Batch) addRow() *Row {
	n := len(b.Rows)
	if n == cap(b.Rows) {
		b.Rows = append(b.Rows, Row{})
		return &b.Rows[n]
	}
	b.Rows = b.Rows[:n+1]
	r := &b.Rows[n]
	r.AckVal, r.RootLen, r.Flags = 0, 0, 0
	return r
}

// appendVals is append without the call of a general copy for a few values.
func appendVals(dst, vals []Value) []Value {
	n := len(dst)
	if len(vals) > 4 || cap(dst)-n < len(vals) {
		return append(dst, vals...)
	}
	dst = dst[:n+len(vals)]
	for i, to := 0, dst[n:]; i < len(vals) && i < len(to); i++ {
		to[i] = vals[i]
	}
	return dst
}

// Bytes estimates the memory that b pins: slabs and the content of strings and byte slices. Lists, maps, opaque
// values and objects count by their header only.
func (b *Batch) Bytes() int {
	n := rowBytes*len(b.Rows) + valueBytes*len(b.Vals) + rootBytes*len(b.Roots) + ackBytes*len(b.Acks)
	for i := range b.Vals {
		n += b.Vals[i].Weight()
	}
	return n
}

// Reset empties b for reuse, dropping what it pins. Only the engine may call it, on batches that user code cannot
// have kept.
func (b *Batch) Reset() {
	clear(b.Vals)
	b.poison()
	b.Rows, b.Vals, b.Roots, b.Acks = b.Rows[:0], b.Vals[:0], b.Roots[:0], b.Acks[:0]
	b.Epoch, b.Seq, b.Plan, b.Watermark, b.Marker, b.Size = 0, 0, 0, 0, 0, 0
	b.Generation, b.Behind = 0, 0
	b.Next, b.Done = nil, nil
}

// Watermark is an event time in milliseconds since 1970 below which no more records are expected. Zero: not known.
type Watermark int64
