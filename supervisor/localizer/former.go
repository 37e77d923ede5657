package localizer

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
)

// Children of workers that go on when newer code comes have the old resources as their working directory. It stays that: where the
// files are the same the directory moves along, else it is kept beside the new one, where workers look for it when they start a child again.

// keptFormer is how many are kept; a child that began before that many changes of its files finds its directory empty.
const keptFormer = 16

// keepCode has the directory fresh, which is about to take the place of now, keep the code of the versions before: whoever was told to run one of
// them finds it, however late it looks, since it is there before its own place has other code. next is the version of fresh.
func keepCode(fresh, now string, next int64) error {
	before, err := recordIn(now)
	if err != nil || before.CodeVersion == next {
		return nil // nothing was there, or the same
	}
	was, err := formerIn(now, compat.FormerCode)
	if err != nil {
		return err
	}
	err = linkFiles(now, filepath.Join(fresh, compat.FormerName(compat.FormerCode, before.CodeVersion)), codeName, confName)
	for _, name := range was[max(0, len(was)+1-keptFormer):] {
		err = errors.Join(err, linkFiles(filepath.Join(now, name), filepath.Join(fresh, name), codeName, confName))
	}
	return err
}

// linkFiles makes a directory with files of another one.
func linkFiles(from, to string, names ...string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Link(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// carryResources has processes that work in old/resources keep that directory, now that the directory now took the place of old with
// what rec says. It does so for another version of the code alone, which may be that of an earlier one (CodeID): for anything else workers start
// again.
func carryResources(old, now string, rec *record) error {
	before, err := recordIn(old)
	if err != nil || before.CodeVersion == rec.CodeVersion {
		return nil // nothing was there, or nothing that anybody goes on with
	}
	was, err := formerIn(old, compat.FormerResources)
	if err != nil {
		return err
	}
	if from := filepath.Join(old, resourcesDir); isDir(from) {
		if sameResources(old, now, before, rec) {
			err = swap(from, filepath.Join(now, resourcesDir))
		} else {
			err = os.Rename(from, filepath.Join(now, compat.FormerName(compat.FormerResources, before.CodeVersion)))
			was = was[max(0, len(was)+1-keptFormer):]
		}
		if err != nil {
			return err
		}
	}
	for _, name := range was {
		err = errors.Join(err, os.Rename(filepath.Join(old, name), filepath.Join(now, name)))
	}
	return err
}

func recordIn(dir string) (*record, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readRecord(root)
}

// formerIn lists what is kept in a directory under names that begin so, oldest first.
func formerIn(dir, prefix string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

func isDir(name string) bool {
	st, err := os.Lstat(name)
	return err == nil && st.IsDir()
}

// sameResources says whether two directories, with what a and b say, have the same files under resources/, and of these the same may be executed.
func sameResources(old, now string, a, b *record) bool {
	of := func(r *record) map[string]string {
		files := maps.Clone(r.Files)
		maps.DeleteFunc(files, func(name, _ string) bool { return !strings.HasPrefix(name, resourcesDir+"/") })
		return files
	}
	x, y := of(a), of(b)
	if len(x) == 0 || !maps.Equal(x, y) {
		return false
	}
	for name := range x {
		if executable(filepath.Join(old, name)) != executable(filepath.Join(now, name)) {
			return false
		}
	}
	return true
}

func executable(name string) bool {
	st, err := os.Lstat(name)
	return err == nil && st.Mode()&0o100 != 0
}
