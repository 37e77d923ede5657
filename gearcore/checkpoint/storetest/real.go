package storetest

import (
	"fmt"
	"testing"
)

// Real is a real server that a store is tested with. Its results are lines of `make stores`.
type Real struct{ Server string }

// Run runs a part of the test and prints how it went, unless -run leaves it out.
func (r Real) Run(t *testing.T, what string, part func(t *testing.T)) {
	t.Helper()
	ran, verdict := false, "ok"
	passed := t.Run(what, func(t *testing.T) {
		ran = true
		part(t)
	})
	if !passed {
		verdict = "FAIL"
	}
	if ran {
		fmt.Printf("store %s %s %s\n", r.Server, what, verdict)
	}
}
