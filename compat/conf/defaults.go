package conf

import (
	_ "embed"
	"sync"
)

//go:embed defaults.yaml
var defaultsText []byte

var defaultTable = sync.OnceValue(func() Conf {
	c, err := ParseYAML("defaults.yaml", defaultsText)
	if err != nil {
		panic(err) // part of the program, and a test reads it
	}
	return c
})

// Defaults gives a fresh copy of every key that has a default in Storm 2.8, null defaults included.
func Defaults() Conf { return defaultTable().Clone() }
