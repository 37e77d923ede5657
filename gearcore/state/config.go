package state

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Keys of a topology's configuration about state.
const (
	keyDir    = "gearstorm.state.dir"
	keyMemory = "gearstorm.state.memory.mb"
	keyForget = "gearstorm.state.forget"
)

// ConfigOf is the configuration of the state that a task keeps under that name: it may outgrow memory where gearstorm.state.dir
// names a directory, and forgets what gearstorm.state.forget names (Config.Forget).
func ConfigOf(ctx *gearcore.Context, name string) Config {
	dir, _ := ctx.Conf[keyDir].(string)
	mb, _ := ctx.Conf[keyMemory].(int64)
	return Config{
		Name: fmt.Sprintf("%s[%d]", name, ctx.Index), Hash: ctx.Layout.Hash, Index: ctx.Index, Tasks: max(len(ctx.Tasks), 1),
		Dir: dir, Memory: mb << 20, Forget: textsOf(ctx.Conf[keyForget]),
	}
}

// textsOf are the texts of a list, or the only one.
func textsOf(v any) (texts []string) {
	switch v := v.(type) {
	case string:
		texts = []string{v}
	case []string:
		texts = v
	case []any:
		for _, e := range v {
			if text, ok := e.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}
