//go:build !linux

package shim

import (
	"errors"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

func enter(isolate.Entry) error { return errors.ErrUnsupported }
