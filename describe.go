package gearstorm

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Description is a topology as its program would submit it. Its JSON is what the program's command describe prints, for
// tools that look at a program without knowing its code.
type Description struct {
	Name     string                  `json:"name"`
	Topology *stormrpc.StormTopology `json:"topology"`
	Conf     json.RawMessage         `json:"conf"` // as in a submit
}

func describe(w io.Writer, p Program, o Options) error {
	name, t, err := p.build(o)
	if err != nil {
		return err
	}
	cf, err := t.Conf.JSON()
	if err != nil {
		return fmt.Errorf("describe %s: %w", name, err)
	}
	return json.NewEncoder(w).Encode(Description{name, t.Thrift, json.RawMessage(cf)})
}
