//go:build !linux

package testserver

import "syscall"

// ownChild is nothing special here: only who started it ends it.
func ownChild() *syscall.SysProcAttr { return nil }

func lockedLoop(work <-chan func()) {
	for f := range work {
		f()
	}
}
