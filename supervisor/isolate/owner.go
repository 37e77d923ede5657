package isolate

import (
	"os"
	"syscall"
)

// noFollowDir opens a directory and nothing else, also not behind a link.
const noFollowDir = syscall.O_NOFOLLOW | syscall.O_DIRECTORY

func groupOf(st os.FileInfo) int {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(s.Gid)
	}
	return -1
}

func linksOf(st os.FileInfo) uint64 {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink)
	}
	return 1
}

// LetPass lets other users through a directory to what they know the name of, without showing them what is in it.
func LetPass(dir string) error {
	f, err := openDir(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Mode().Perm()&0o001 != 0 {
		return err
	}
	return f.Chmod(st.Mode().Perm() | 0o011)
}
