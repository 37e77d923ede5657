package multilang

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Python keeps what it has compiled of the modules that a script imports in folders __pycache__ beside them. On a full disk, releases before
// 3.12.8 and 3.13.1 leave half a file there, which has the right time and size in its head: every process that imports the module fails with it
// from then on, whether there is room again or not. So a process that ended before it was ready, or says that such a file is why it ended, has
// these folders removed before it is started again. They are of the topology's own resources on this node; its source is all that Python needs.

const (
	pycache = "__pycache__"
	// badCompiled is in what Python says of half a compiled file: "EOFError: marshal data too short", "ValueError: bad marshal data (...)".
	badCompiled = "marshal data"
	// maxCompiledLooks bounds the files and folders that are looked at.
	maxCompiledLooks = 100_000
)

// pythons are the file names of programs that keep what they compile.
var pythons = regexp.MustCompile(`^(?:(?:python|pypy)[0-9.]*|streamparse_run)$`)

// runsPython says whether argv is a program in Python.
func runsPython(argv []string) bool {
	if len(argv) > 1 && filepath.Base(argv[0]) == "env" {
		argv = argv[1:]
	}
	return len(argv) > 0 && pythons.MatchString(filepath.Base(argv[0]))
}

// forgetCompiled removes what Python has compiled in the topology's resources if that may be why a process ended. Nothing is removed where the
// process ran in another folder, which is the user's.
func (c *child) forgetCompiled(s *session, lost *ChildError) {
	if s == nil || !c.spec.ofCode || s.dir == "" || !runsPython(c.spec.Command) || s.greeted.Load() && !strings.Contains(lost.Stderr, badCompiled) {
		return
	}
	n, err := removeCompiled(s.dir)
	if n > 0 || err != nil {
		c.log.Warn("what Python had compiled was removed, as it may be damaged", "dir", s.dir, "folders", n, "err", err)
	}
}

// removeCompiled removes the folders __pycache__ in and below dir and returns how many they were. It follows no links.
func removeCompiled(dir string) (n int, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	looks := 0
	var errs []error
	_ = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		looks++
		switch {
		case looks > maxCompiledLooks:
			return fs.SkipAll
		case err != nil || !d.IsDir() || d.Name() != pycache:
			return nil // what cannot be read has nothing that a child would have written
		}
		if err := root.RemoveAll(name); err != nil {
			errs = append(errs, err)
		} else {
			n++
		}
		return fs.SkipDir
	})
	return n, errors.Join(errs...)
}
