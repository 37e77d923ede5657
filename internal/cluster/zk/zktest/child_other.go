//go:build !linux

package zktest

import "syscall"

// ownChild is nothing special here: only [Ensemble.Stop] ends the servers.
func ownChild() *syscall.SysProcAttr { return nil }

func lockedLoop(work <-chan func()) {
	for f := range work {
		f()
	}
}
