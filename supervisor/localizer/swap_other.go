//go:build !linux

package localizer

import (
	"errors"
	"os"
)

// swap gives the directory fresh the name of current. Where directories cannot be exchanged there is an instant without.
func swap(fresh, current string) error {
	err := os.Rename(fresh, current)
	if err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	old := current + ".0.tmp"
	if err := os.Rename(current, old); err != nil {
		return err
	}
	if err := os.Rename(fresh, current); err != nil {
		return errors.Join(err, os.Rename(old, current))
	}
	return os.RemoveAll(old)
}
