package state

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Keys of a topology's configuration about state.
const (
	keyDir    = "gearstorm.state.dir"
	keyMemory = "gearstorm.state.memory.mb"
)

// ConfigOf is the configuration of the state that a task keeps under that name: it may outgrow memory where gearstorm.state.dir
// names a directory.
func ConfigOf(ctx *gearcore.Context, name string) Config {
	dir, _ := ctx.Conf[keyDir].(string)
	mb, _ := ctx.Conf[keyMemory].(int64)
	return Config{
		Name: fmt.Sprintf("%s[%d]", name, ctx.Index), Hash: ctx.Layout.Hash, Index: ctx.Index, Tasks: max(len(ctx.Tasks), 1),
		Dir: dir, Memory: mb << 20,
	}
}
