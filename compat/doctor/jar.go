package doctor

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/classfile"
	"github.com/gearstorm/gearstorm/compat/javaser"
)

// Limits bound what is read of jars. The zero value is the default of each.
type Limits struct {
	Entries int   // of one jar; 100,000
	Bytes   int64 // of class files, unpacked, of all jars together; 1 GiB
}

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 100_000
	}
	if l.Bytes == 0 {
		l.Bytes = 1 << 30
	}
	return l
}

// File is a jar. It must stay readable until the call that it is passed to returns.
type File struct {
	Name string
	io.ReaderAt
	Size int64
}

// unit is what is kept of a class of the jars.
type unit struct {
	name, super string
	interfaces  []string
	java        int
	concrete    bool
	main        bool
	refs        []string // classes it names, without Java's own
	texts       []string // texts that may be names of classes
	uses        []int    // of apis
	made        []Kind
	stock       []string
	scripts     []string // texts that end like scripts
	methods     []string // see javaser.ShellMethods; of classes with a superclass other than Object
}

// scan is the jars of a topology while they are looked at.
type scan struct {
	limits    Limits
	left      int64 // bytes of class files that may still be read
	units     map[string]*unit
	resources map[string]bool
	nested    []string // jars in jars
	manifest  string   // Main-Class of the first jar
	defaults  bool     // Storm's own defaults.yaml is in a jar
	broken    []string
	misplaced []string // class files whose path is not their name
	signed    []string // signature files
	interned  map[string]string
	storm     []*javaser.Jar
	kinds     map[string][]Kind // by class; present and nil while it is being found
	unknown   map[string]bool   // superclasses and interfaces that nobody has
}

func newScan(o JarOptions) (*scan, error) {
	s := &scan{limits: o.Limits.withDefaults(), units: map[string]*unit{}, resources: map[string]bool{}, interned: map[string]string{},
		kinds: map[string][]Kind{}, unknown: map[string]bool{}}
	s.left = s.limits.Bytes
	for _, f := range o.Storm {
		j, err := javaser.OpenJar(f, f.Size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		s.storm = append(s.storm, j)
	}
	return s, nil
}

// directoryBytes is how much may be read per allowed entry to list a jar, as Nimbus has it.
const directoryBytes = 256

// add reads a jar. Of a class that is in several jars the first counts, as on a class path.
func (s *scan) add(f File, first bool) error {
	metered := &meteredReader{r: f, left: int64(s.limits.Entries)*directoryBytes + 128<<10}
	z, err := zip.NewReader(metered, f.Size)
	if errors.Is(err, errDirectory) {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // no name is used as a path
		return fmt.Errorf("%s is no jar: %w", f.Name, err)
	}
	if len(z.File) > s.limits.Entries {
		return fmt.Errorf("%s: %d entries, more than %d", f.Name, len(z.File), s.limits.Entries)
	}
	metered.left = math.MaxInt64 // what is read from here on is counted unpacked
	for _, e := range z.File {
		if err := s.entry(e, first); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func (s *scan) entry(e *zip.File, first bool) error {
	switch name := e.Name; {
	case strings.HasSuffix(name, "/"):
	case strings.HasPrefix(name, "resources/"):
		s.resources[strings.TrimPrefix(name, "resources/")] = true
	case name == "META-INF/MANIFEST.MF" && first:
		data, err := s.read(e, 1<<20)
		if err != nil {
			return err
		}
		s.manifest = mainClass(data)
	case name == "defaults.yaml":
		s.defaults = true
	case strings.HasPrefix(name, "META-INF/") && strings.HasSuffix(name, ".SF"):
		s.signed = append(s.signed, name)
	case strings.HasSuffix(name, ".jar"):
		s.nested = append(s.nested, name)
	case strings.HasPrefix(name, "META-INF/") || !strings.HasSuffix(name, ".class"): // versions for other releases of Java too
	default:
		return s.class(e)
	}
	return nil
}

// class reads a class. One that cannot be read is remembered by name.
func (s *scan) class(e *zip.File) error {
	switch path.Base(e.Name) {
	case "module-info.class", "package-info.class":
		return nil
	}
	data, err := s.read(e, classfile.MaxBytes)
	if errors.Is(err, errUnpacked) {
		return err
	}
	var c *classfile.Class
	if err == nil {
		c, err = classfile.Parse(data)
	}
	if err != nil {
		s.broken = append(s.broken, e.Name)
		return nil
	}
	if strings.ReplaceAll(c.Name, ".", "/")+".class" != e.Name {
		s.misplaced = append(s.misplaced, e.Name)
	} else if s.units[c.Name] == nil {
		u := s.unit(c)
		s.units[u.name] = u
	}
	return nil
}

// unit takes out of a class what is needed later. The strings of a class keep all of its texts alive, so they are copied
// once for all classes.
func (s *scan) unit(c *classfile.Class) *unit {
	u := &unit{name: s.intern(c.Name), super: s.intern(c.Super), java: c.Java(), concrete: c.Concrete(), main: c.Main(), uses: usesOf(c), made: madeOf(c)}
	for _, i := range c.Interfaces {
		u.interfaces = append(u.interfaces, s.intern(i))
	}
	for _, name := range c.Classes {
		if name != c.Name && !javas(name) {
			u.refs = append(u.refs, s.intern(name))
		}
	}
	for _, name := range stockOf(c) {
		u.stock = append(u.stock, s.intern(name))
	}
	for _, text := range c.Texts {
		if scriptName(text) {
			u.scripts = append(u.scripts, s.intern(text))
		} else if isClassName(text) && !javas(text) {
			u.texts = append(u.texts, s.intern(text))
		}
	}
	if c.Super != "java.lang.Object" {
		u.methods = javaser.ShellMethods(c)
	}
	return u
}

func (s *scan) intern(text string) string {
	if kept, ok := s.interned[text]; ok {
		return kept
	}
	kept := strings.Clone(text)
	s.interned[kept] = kept
	return kept
}

// javas tells whether a class is Java's own.
func javas(class string) bool {
	for _, p := range []string{"java.", "javax.", "jdk.", "sun.", "com.sun.", "org.w3c.dom.", "org.xml.sax.", "org.ietf.jgss."} {
		if strings.HasPrefix(class, p) {
			return true
		}
	}
	return false
}

// maxNameBytes bounds what is taken for the name of a class or script.
const maxNameBytes = 512

// isClassName tells whether a text can be the name of a class in a package.
func isClassName(text string) bool {
	if len(text) > maxNameBytes || !strings.Contains(text, ".") || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".") {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !(r == '.' || r == '$' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
	})
}

var scriptEnds = []string{".py", ".js", ".rb", ".pl", ".sh", ".mjs", ".php"}

func scriptName(text string) bool {
	return len(text) <= maxNameBytes && !strings.ContainsAny(text, " \n\x00") && slices.Contains(scriptEnds, path.Ext(text)) && !strings.HasPrefix(text, ".")
}

var (
	errDirectory = errors.New("its list of entries is longer than allowed")
	errUnpacked  = errors.New("its class files are larger than allowed when unpacked")
)

// read unpacks an entry of at most that size.
func (s *scan) read(e *zip.File, most int64) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, min(most, s.left)+1))
	if s.left -= int64(len(data)); s.left < 0 {
		return nil, fmt.Errorf("%w: more than %d bytes", errUnpacked, s.limits.Bytes)
	}
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s: more than %d bytes", e.Name, most)
	}
	return data, err
}

// mainClass reads the attribute of a manifest (JAR file specification): a line that begins with a blank continues the
// one before.
func mainClass(manifest []byte) string {
	text := strings.NewReplacer("\r\n ", "", "\n ", "", "\r ", "").Replace(string(manifest))
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, "Main-Class") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// meteredReader ends with an error once more than left bytes were read.
type meteredReader struct {
	r    io.ReaderAt
	left int64
}

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, errDirectory
	}
	return m.r.ReadAt(p, off)
}
