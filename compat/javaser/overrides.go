package javaser

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/gearstorm/gearstorm/compat/classfile"
)

// ErrNoClass is wrapped when a class is not in the jar.
var ErrNoClass = errors.New("class is not in the jar")

// Jar is a topology's jar, opened for its classes.
type Jar struct{ zip *zip.Reader }

// OpenJar reads the directory of a jar. The reader must stay usable as long as the Jar is.
func OpenJar(r io.ReaderAt, size int64) (*Jar, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // only names of classes are looked up, no path is followed
		return nil, fmt.Errorf("read jar: %w", err)
	}
	return &Jar{z}, nil
}

// Class reads one class of the jar by its binary name. Errors wrap [ErrNoClass] or [classfile.ErrBroken].
func (j *Jar) Class(name string) (*classfile.Class, error) {
	path := strings.ReplaceAll(name, ".", "/") + ".class"
	if !fs.ValidPath(path) {
		return nil, fmt.Errorf("read class %q: %w", name, ErrNoClass)
	}
	f, err := j.zip.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read class %s: %w", name, ErrNoClass)
	}
	if err != nil {
		return nil, fmt.Errorf("read class %s: %w: %w", name, classfile.ErrBroken, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, classfile.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read class %s: %w: %w", name, classfile.ErrBroken, err)
	}
	c, err := classfile.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read class %s: %w", name, err)
	}
	if c.Name != name {
		return nil, fmt.Errorf("read class %s: %w: the file holds %s", name, classfile.ErrBroken, c.Name)
	}
	return c, nil
}

// Overrides looks at the classes between a user's shell component and the stock class ([Found.Unchecked]) and lists the
// methods, as "class.method", by which they may change what the stock class does. Empty: the component can run natively.
func (j *Jar) Overrides(classes []string) ([]string, error) {
	var out []string
	for _, name := range classes {
		c, err := j.Class(name)
		if err != nil {
			return nil, err
		}
		out = append(out, ShellMethods(c)...)
	}
	return out, nil
}

// ShellMethods lists the methods, as "class.method", by which a subclass of a stock shell class may change what that does.
func ShellMethods(c *classfile.Class) []string {
	var out []string
	for _, m := range c.Methods {
		if !harmless(m) {
			out = append(out, c.Name+"."+m.Name)
		}
	}
	return out
}

// harmless tells whether a method cannot change how a shell component runs: the two methods whose results already stand
// in the topology, and what the stock class cannot call. What Java calls when it reads an object back is not harmless.
func harmless(m classfile.Method) bool {
	switch m.Name {
	case "readObject", "readResolve", "readObjectNoData":
		return false
	case "<init>", "<clinit>", "declareOutputFields", "getComponentConfiguration":
		return true
	}
	return m.Flags&(classfile.AccPrivate|classfile.AccStatic) != 0 ||
		m.Flags&classfile.AccSynthetic != 0 && strings.HasPrefix(m.Name, "lambda$")
}

// Has tells whether the jar has a file for the class of that binary name. It is not read.
func (j *Jar) Has(name string) bool {
	path := strings.ReplaceAll(name, ".", "/") + ".class"
	if !fs.ValidPath(path) {
		return false
	}
	f, err := j.zip.Open(path)
	if err == nil {
		f.Close()
	}
	return err == nil
}
