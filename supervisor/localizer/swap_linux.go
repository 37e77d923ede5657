package localizer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// swap gives the directory fresh the name of current. If current exists its old content has the other name afterwards.
func swap(fresh, current string) error {
	err := os.Rename(fresh, current)
	if err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, current, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "exchange", Old: fresh, New: current, Err: err}
	}
	return nil
}
