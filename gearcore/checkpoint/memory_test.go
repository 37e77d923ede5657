package checkpoint_test

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) checkpoint.Store { return new(checkpoint.Memory) })
}
