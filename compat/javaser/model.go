package javaser

// Bounds of one stream.
const (
	// MaxBytes bounds a stream.
	MaxBytes = 8 << 20
	// MaxDepth bounds how deep objects nest.
	MaxDepth = 512
	// MaxNodes bounds objects, descriptors, field values and elements together.
	MaxNodes = 1 << 18
	// MaxChain bounds the superclasses of a class.
	MaxChain = 64
)

// Value is one value of a stream: nil, bool, int8, int16, uint16 (a char), int32, int64, float32, float64, string,
// *[Object], *[Array], *[Enum] or *[Class] (the class itself as a value). Streams hold cycles: whoever walks values
// must bound the walk.
type Value any

// Class is a class descriptor as it stands in the stream: only serializable classes appear, fields that are transient
// or static do not.
type Class struct {
	Name   string // binary name, "a.b.C$D" or "[I" for an array
	UID    int64
	Flags  byte
	Fields []Field
	Super  *Class // nil at the top, or below a class that is not serializable

	complete bool // set last: a descriptor that holds itself is refused
}

// Field is a declared field. Type is a letter of the field descriptors: B C D F I J S Z, L or [.
type Field struct {
	Name      string
	Type      byte
	ClassName string // descriptor of the declared type when Type is L or [
}

// Extends tells whether c is the named class or has it among its superclasses.
func (c *Class) Extends(name string) bool {
	for ; c != nil; c = c.Super {
		if c.Name == name {
			return true
		}
	}
	return false
}

// Object is an instance of a class. Data has one entry for each class, the topmost superclass first.
type Object struct {
	Class *Class
	Data  []ClassData
}

// ClassData is the part of an object that one class of its chain wrote.
type ClassData struct {
	Class       *Class
	Values      []Value // as Class.Fields
	Annotations []Value // what a writeObject method added: values, and block data as []byte that shares the stream
}

// Field gives the value of a field that the named class declares; false when the object has no such class or field.
func (o *Object) Field(class, field string) (Value, bool) {
	d := o.data(class)
	if d == nil {
		return nil, false
	}
	for i, f := range d.Class.Fields {
		if f.Name == field && i < len(d.Values) {
			return d.Values[i], true
		}
	}
	return nil, false
}

func (o *Object) data(class string) *ClassData {
	for i := range o.Data {
		if o.Data[i].Class.Name == class {
			return &o.Data[i]
		}
	}
	return nil
}

// Array is an array. Elements holds those of an array of objects; the elements of an array of primitives are in Raw,
// big-endian and sharing the stream.
type Array struct {
	Class    *Class
	Len      int
	Elements []Value
	Raw      []byte
}

// Enum is a constant of an enum.
type Enum struct {
	Class *Class
	Name  string
}
