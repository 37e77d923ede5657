package localizer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Python compiles what scripts import and keeps the result in __pycache__ beside it, for a file of that size and time. A new version of the
// resources has neither, and each child that starts then compiles the same again, at the moment at which the others are to go on.

const (
	pycache = "__pycache__"
	// maxCompiled bounds a compiled file that is taken over; what a worker wrote there is not believed any further.
	maxCompiled = 4 << 20
)

// carryCompiled gives the modules of the directory fresh, which is about to take the place of now, what children have compiled of the same files there,
// and their times, by which Python knows that it fits.
func carryCompiled(fresh, now string, rec *record) error {
	before, err := recordIn(now)
	if err != nil || sameResources(before, rec) {
		return nil // nothing was there, or the directory itself goes along
	}
	from, err := os.OpenRoot(now)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenRoot(fresh)
	if err != nil {
		return err
	}
	defer to.Close()
	there := map[string][]string{} // by folder: what is compiled in it
	for _, name := range slices.Sorted(maps.Keys(rec.Files)) {
		if path.Ext(name) != ".py" || !strings.HasPrefix(name, resourcesDir+"/") || before.Files[name] != rec.Files[name] {
			continue
		}
		dir := path.Join(path.Dir(name), pycache)
		files, listed := there[dir]
		if !listed {
			files = filesIn(from, dir)
			there[dir] = files
		}
		module := strings.TrimSuffix(path.Base(name), ".py") + "."
		for _, file := range files {
			compiled := path.Join(dir, file)
			if _, own := rec.Files[compiled]; !own && strings.HasPrefix(file, module) && path.Ext(file) == ".pyc" {
				err = errors.Join(err, carryModule(to, from, name, compiled))
			}
		}
	}
	return err
}

// filesIn lists a folder that need not be there.
func filesIn(root *os.Root, dir string) (names []string) {
	entries, _ := fs.ReadDir(root.FS(), dir)
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names
}

// carryModule takes over one compiled file and the time of its source.
func carryModule(to, from *os.Root, source, compiled string) error {
	st, err := from.Stat(source)
	if err != nil {
		return err
	}
	f, err := from.OpenFile(compiled, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a worker may have put anything there
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxCompiled {
		return fmt.Errorf("%s is no compiled module: %w", compiled, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCompiled))
	if err != nil {
		return err
	}
	if err := to.Mkdir(path.Dir(compiled), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(to.WriteFile(compiled, data, 0o600), to.Chtimes(source, time.Time{}, st.ModTime()))
}
