package gearcore

// Names that Storm reserves.
const (
	DefaultStream   = "default"
	SystemComponent = "__system"
	AckerComponent  = "__acker"
	ClockComponent  = "__clock"
	TickStream      = "__tick"
)

// Tuple is what a component gets to see: one row of a batch. It is a small value; copy it, keep it, use it from any
// goroutine for reading. The zero Tuple is no tuple (IsZero).
type Tuple struct {
	b   *Batch
	i   int32
	gen uint32 // of b, in builds with the race detector
}

// IsZero reports whether t is the zero Tuple.
func (t Tuple) IsZero() bool { return t.b == nil }

// Batch returns the batch that holds t.
func (t Tuple) Batch() *Batch { return t.b }

// Row returns the header of t. Only the consuming executor may change it.
func (t Tuple) Row() *Row {
	t.mustLive()
	return &t.b.Rows[t.i]
}

// Len returns the number of values.
func (t Tuple) Len() int { return int(t.Row().Len) }

// Values returns the values of t, a view that may not be changed.
func (t Tuple) Values() []Value {
	r := t.Row()
	return t.b.Vals[r.Off : r.Off+uint32(r.Len) : r.Off+uint32(r.Len)]
}

// Roots returns the anchors of t, a view that may not be changed.
func (t Tuple) Roots() []RootEdge {
	r := t.Row()
	return t.b.Roots[r.RootOff : r.RootOff+r.RootLen : r.RootOff+r.RootLen]
}

// Value returns the value at position i; it panics when there is none, as indexing does.
func (t Tuple) Value(i int) Value {
	r := t.Row()
	if uint(i) >= uint(r.Len) {
		panic("gearcore: tuple has no value at that position")
	}
	return t.b.Vals[int(r.Off)+i]
}

// The getters below panic with an *OpaqueError at an object that only Java can read, which fails the tuple; Value has it.

// String returns the string at position i ("" for another kind).
func (t Tuple) String(i int) string { return t.plain(i).Str() }

// Int returns the integer at position i (0 for another kind).
func (t Tuple) Int(i int) int64 { return t.plain(i).Int() }

// Float returns the number at position i (0 for another kind).
func (t Tuple) Float(i int) float64 { return t.plain(i).Float() }

// Bool returns the boolean at position i (false for another kind).
func (t Tuple) Bool(i int) bool { return t.plain(i).Bool() }

// Bytes returns the bytes at position i (nil for another kind but string), not a copy.
func (t Tuple) Bytes(i int) []byte { return t.plain(i).Bytes() }

// FieldIndex returns the position of the field called name, or -1.
func (t Tuple) FieldIndex(name string) int {
	for i, f := range t.Fields() {
		if f == name {
			return i
		}
	}
	return -1
}

// Field returns the value of the field called name; ok is false if the stream does not declare it.
func (t Tuple) Field(name string) (v Value, ok bool) {
	i := t.FieldIndex(name)
	if i < 0 || i >= t.Len() {
		return Value{}, false
	}
	return t.Value(i), true
}

func (t Tuple) stream() *Stream { return &t.b.Layout.Streams[t.Row().Stream] }

// Fields returns the field names of the tuple's stream; not to be changed.
func (t Tuple) Fields() []string { return t.stream().Fields }

// Stream returns the name of the stream t came on.
func (t Tuple) Stream() string { return t.stream().Name }

// Component returns the id of the component that emitted t.
func (t Tuple) Component() string { return t.stream().Component }

// SourceTask returns the task that emitted t, SystemTask for a tick.
func (t Tuple) SourceTask() TaskID { return t.Row().Source }

// IsTick reports whether t is a tick of topology.tick.tuple.freq.secs.
func (t Tuple) IsTick() bool {
	s := t.stream()
	return s.Name == TickStream && s.Component == SystemComponent
}

// NewTuple makes a tuple of its own, outside any engine: for tests of components.
func NewTuple(l *Layout, stream StreamID, source TaskID, vals ...Value) Tuple {
	b := &Batch{Layout: l}
	b.Append(stream, source, vals, nil)
	return b.Tuple(0)
}
