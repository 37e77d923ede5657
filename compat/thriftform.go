package compat

import (
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func stream(fields ...string) *stormrpc.StreamInfo {
	return &stormrpc.StreamInfo{OutputFields: append([]string{}, fields...)}
}

func directStream(fields ...string) *stormrpc.StreamInfo {
	return &stormrpc.StreamInfo{OutputFields: fields, Direct: true}
}

// fieldsGrouping without fields is global grouping.
func fieldsGrouping(fields ...string) *stormrpc.Grouping {
	return &stormrpc.Grouping{Fields: append([]string{}, fields...)}
}

func javaObject(class string, args ...string) *stormrpc.ComponentObject {
	return &stormrpc.ComponentObject{JavaObject: javaClass(class, args...)}
}

func javaClass(class string, args ...string) *stormrpc.JavaObject {
	o := &stormrpc.JavaObject{FullClassName: class, ArgsList: []*stormrpc.JavaObjectArg{}}
	for i := range args {
		o.ArgsList = append(o.ArgsList, &stormrpc.JavaObjectArg{StringArg: &args[i]})
	}
	return o
}

// Subscribe appends a subscription to a component's inputs. The entry's type belongs to the Thrift library, which only thrift/wire may name.
func Subscribe(c *stormrpc.ComponentCommon, component, stream string, g *stormrpc.Grouping) {
	c.Inputs = append(c.Inputs, struct {
		Key   *stormrpc.GlobalStreamId
		Value *stormrpc.Grouping
	}{&stormrpc.GlobalStreamId{ComponentId: component, StreamId: stream}, g})
}

// setConf sets one key of a component's json_conf.
func setConf(common *stormrpc.ComponentCommon, key string, v any) error {
	own := conf.Conf{}
	if common.JSONConf != nil {
		var err error
		if own, err = conf.ParseJSON([]byte(*common.JSONConf)); err != nil {
			return err
		}
	}
	own[key] = v
	text, err := own.JSON()
	if err != nil {
		return err
	}
	s := string(text)
	common.JSONConf = &s
	return nil
}

// copyTopology copies a topology down to the subscriptions, streams and confs of its components; objects, groupings and
// stream infos are shared. The topology went through components before.
func copyTopology(t *stormrpc.StormTopology) *stormrpc.StormTopology {
	out := *t
	out.Spouts = make(map[string]*stormrpc.SpoutSpec, len(t.Spouts))
	for id, s := range t.Spouts {
		out.Spouts[id] = &stormrpc.SpoutSpec{SpoutObject: s.SpoutObject, Common: copyCommon(s.Common)}
	}
	out.Bolts = make(map[string]*stormrpc.Bolt, len(t.Bolts))
	for id, b := range t.Bolts {
		out.Bolts[id] = &stormrpc.Bolt{BoltObject: b.BoltObject, Common: copyCommon(b.Common)}
	}
	out.StateSpouts = map[string]*stormrpc.StateSpoutSpec{}
	return &out
}

func copyCommon(c *stormrpc.ComponentCommon) *stormrpc.ComponentCommon {
	out := *c
	out.Inputs = slices.Clone(c.Inputs)
	out.Streams = maps.Clone(c.Streams)
	if out.Streams == nil {
		out.Streams = map[string]*stormrpc.StreamInfo{}
	}
	return &out
}
