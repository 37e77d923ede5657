package testserver

import "os"

// MkdirMemory makes a new folder in memory where the system has such folders (/dev/shm), else a temporary one. Who calls it removes it.
// What measures time keeps its files there: a disk that is busy lets them wait.
func MkdirMemory(pattern string) (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", pattern); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", pattern)
}
