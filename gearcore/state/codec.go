package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// Codec writes values of one type as bytes that end by themselves. Schema names the writing and is kept with every file, so
// that what was written by an earlier version of a program can be read: Reader is asked for it.
type Codec[T any] interface {
	Schema() string
	// Append appends v. It keeps nothing of v.
	Append(buf []byte, v *T) ([]byte, error)
	// Reader returns what reads values that were written with schema, or an error that says why they cannot become a T.
	Reader(schema string) (Read[T], error)
}

// Read reads one value into the zero T. Bad bytes end in the Reader's Err.
type Read[T any] func(r *codec.Reader, v *T)

// KeyCodec is the Codec of a key.
type KeyCodec[K comparable] interface {
	Codec[K]
	// Group is the key group of k: that of the values by which its records are routed.
	Group(k *K, mode gearcore.HashMode) int
	// Parse makes a key of what a person wrote.
	Parse(text string) (K, error)
}

// GroupOf returns the key group of records that are routed by these values, as the partitioner KeyGroups of package dag does.
func GroupOf(mode gearcore.HashMode, vals ...gearcore.Value) int {
	h := int32(1)
	for i := range vals {
		h = 31*h + vals[i].Hash(mode)
	}
	return gearcore.KeyGroup(h)
}

// ErrCorrupt is wrapped by errors about bytes that no codec wrote.
var ErrCorrupt = errors.New("corrupt state")

func schemaError[T any](schema, own string) error {
	return fmt.Errorf("it was written as %q, which cannot be read as %T (%q)", schema, *new(T), own)
}

// Strings is the codec of texts.
func Strings[T ~string]() KeyCodec[T] { return texts[T]{} }

type texts[T ~string] struct{}

func (texts[T]) Schema() string { return "s" }

func (texts[T]) Append(buf []byte, v *T) ([]byte, error) {
	return codec.AppendText(buf, string(*v)), nil
}

func (c texts[T]) Reader(schema string) (Read[T], error) {
	if schema != "s" {
		return nil, schemaError[T](schema, "s")
	}
	return func(r *codec.Reader, v *T) { *v = T(r.Text()) }, nil
}

func (texts[T]) Group(k *T, _ gearcore.HashMode) int {
	return gearcore.KeyGroup(31 + gearcore.StringHash(string(*k)))
}

// Own lets go of the frame or buffer that a text is a piece of.
func (texts[T]) Own(k T) T { return T(strings.Clone(string(k))) }

func (texts[T]) Parse(text string) (T, error) { return T(text), nil }

// integer is every integer type.
type integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Ints is the codec of an integer type. All widths are written alike; a number that is read back and does not fit is an error.
func Ints[T integer]() KeyCodec[T] { return ints[T]{} }

type ints[T integer] struct{}

func (ints[T]) signed() bool { var zero T; return zero-1 < zero }

func (c ints[T]) Schema() string {
	if c.signed() {
		return "i"
	}
	return "u"
}

func (c ints[T]) Append(buf []byte, v *T) ([]byte, error) {
	if c.signed() {
		return binary.AppendVarint(buf, int64(*v)), nil
	}
	return binary.AppendUvarint(buf, uint64(*v)), nil
}

func (c ints[T]) Reader(schema string) (Read[T], error) {
	switch schema {
	case "i":
		return func(r *codec.Reader, v *T) {
			n := r.Varint()
			if *v = T(n); int64(*v) != n || (n < 0) != (*v < 0) {
				r.Fail("%d does not fit %T", n, *v)
			}
		}, nil
	case "u":
		return func(r *codec.Reader, v *T) {
			n := r.Uvarint()
			if *v = T(n); uint64(*v) != n || *v < 0 {
				r.Fail("%d does not fit %T", n, *v)
			}
		}, nil
	}
	return nil, schemaError[T](schema, c.Schema())
}

func (c ints[T]) Group(k *T, mode gearcore.HashMode) int { return GroupOf(mode, c.value(*k)) }

// value is what gearcore.FromAny makes of k.
func (c ints[T]) value(k T) gearcore.Value {
	size := unsafe.Sizeof(k)
	if c.signed() {
		switch size {
		case 1:
			return gearcore.Byte(int8(k))
		case 2:
			return gearcore.Short(int16(k))
		case 4:
			return gearcore.Int(int32(k))
		}
		return gearcore.Long(int64(k))
	}
	switch size {
	case 1:
		return gearcore.Short(int16(k))
	case 2:
		return gearcore.Char(uint16(k))
	}
	v, _ := gearcore.FromAny(uint64(k))
	return v
}

func (c ints[T]) Parse(text string) (T, error) {
	bits := int(unsafe.Sizeof(T(0))) * 8
	if c.signed() {
		n, err := strconv.ParseInt(text, 10, bits)
		return T(n), err
	}
	n, err := strconv.ParseUint(text, 10, bits)
	return T(n), err
}

// Floats is the codec of floating point numbers.
func Floats[T ~float32 | ~float64]() Codec[T] { return floats[T]{} }

type floats[T ~float32 | ~float64] struct{}

func (floats[T]) Schema() string { return "f" }

func (floats[T]) Append(buf []byte, v *T) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(buf, math.Float64bits(float64(*v))), nil
}

func (floats[T]) Reader(schema string) (Read[T], error) {
	if schema != "f" {
		return nil, schemaError[T](schema, "f")
	}
	return func(r *codec.Reader, v *T) { *v = T(math.Float64frombits(r.Uint64())) }, nil
}

// Bytes is the codec of byte slices.
func Bytes() Codec[[]byte] { return blobs{} }

type blobs struct{}

func (blobs) Schema() string { return "y" }

func (blobs) Append(buf []byte, v *[]byte) ([]byte, error) {
	return append(codec.AppendLen(buf, len(*v)), *v...), nil
}

func (blobs) Reader(schema string) (Read[[]byte], error) {
	if schema != "y" && schema != "s" {
		return nil, schemaError[[]byte](schema, "y")
	}
	return func(r *codec.Reader, v *[]byte) { *v = r.Bytes() }, nil
}

// Values is the codec of tuple values. Objects of this process (gearcore.Obj) cannot be kept.
func Values() Codec[gearcore.Value] { return values{} }

type values struct{}

func (values) Schema() string { return "v" }

func (values) Append(buf []byte, v *gearcore.Value) ([]byte, error) { return codec.Append(buf, *v) }

func (values) Reader(schema string) (Read[gearcore.Value], error) {
	if schema != "v" {
		return nil, schemaError[gearcore.Value](schema, "v")
	}
	return func(r *codec.Reader, v *gearcore.Value) { *v = r.Value() }, nil
}

// Nothing is the codec of sets and other handles whose keys say all.
func Nothing() Codec[struct{}] { return nothing{} }

type nothing struct{}

func (nothing) Schema() string                                 { return "" }
func (nothing) Append(buf []byte, _ *struct{}) ([]byte, error) { return buf, nil }
func (nothing) Reader(string) (Read[struct{}], error)          { return func(*codec.Reader, *struct{}) {}, nil }
