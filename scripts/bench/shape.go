package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// shapeKey is the configuration key that carries the shape to the twin of program in Java (scripts/bench/storm).
const shapeKey = "bench"

// Kinds of shapes. Sources, bolts and sinks have one executor each unless said otherwise.
const (
	kindLine       = "line"        // source -> identity -> sink
	kindScript     = "script"      // source -> bolt in Python -> sink
	kindPairs      = "pairs"       // Tasks sources -> shuffle -> Tasks sinks
	kindFields     = "fields"      // source of keys -> fields -> Tasks counters
	kindRing       = "ring"        // Tasks nodes in a circle, tokens walking
	kindIdle       = "idle"        // source of one tuple -> Tasks-1 sinks
	kindYahoo      = "yahoo"       // see yahoo_events.go; tuples are acked
	kindYahooExact = "yahoo-exact" // the same with checkpoints
	kindCounted    = "counted"     // see counted.go
	kindWindow     = "window"      // source of events -> Tasks counters in windows of event time -> sink that adds up the counts
)

// sentence is what splitters get: six words. Its twin is in Source.java.
const sentence = "the cow jumped over the moon"

// shape describes a topology to both sides.
type shape struct {
	Kind     string     `json:"kind"`
	Bytes    int        `json:"bytes,omitempty"`    // of the payload
	Tasks    int        `json:"tasks,omitempty"`    // see the kinds
	Keys     int        `json:"keys,omitempty"`     // of kindCounted
	Rate     int        `json:"rate,omitempty"`     // tuples a second and their latency; 0: as many as go
	Acked    bool       `json:"acked,omitempty"`    // tuples have ids
	Fresh    bool       `json:"fresh,omitempty"`    // a string of its own for each tuple, else one for all
	Read     bool       `json:"read,omitempty"`     // the sink adds up every byte
	Kept     bool       `json:"kept,omitempty"`     // bolts do not declare NoRetain
	Script   string     `json:"script,omitempty"`   // of kindScript, in resources
	Python   string     `json:"python,omitempty"`   // its interpreter, here; "" is python3
	Path     string     `json:"path,omitempty"`     // its PYTHONPATH, here
	Msgpack  bool       `json:"msgpack,omitempty"`  // it is told to speak msgpack, as streamparse does
	Listener string     `json:"listener,omitempty"` // where probes report
	Profile  string     `json:"profile,omitempty"`  // where profiles go, here
	Yahoo    *yahooWork `json:"yahoo,omitempty"`    // of the kinds with that name
}

// split says whether the script makes words of sentences.
func (s shape) split() bool { return strings.Contains(s.Script, "split") }

// keyed says whether the script keeps state by key, of which there is one.
func (s shape) keyed() bool { return strings.Contains(s.Script, "state") }

// payload is what every tuple carries.
func (s shape) payload() string {
	if s.split() {
		return sentence
	}
	return strings.Repeat("x", s.Bytes)
}

// fanout is how many tuples reach the sinks for each one that the source emits.
func (s shape) fanout() int64 {
	if s.split() {
		return int64(len(strings.Fields(sentence)))
	}
	return 1
}

// joined is how many tasks report to the probes' listener.
func (s shape) joined() int {
	switch s.Kind {
	case kindScript, kindWindow, kindCounted:
		return 2
	case kindPairs:
		return 2 * s.Tasks
	case kindFields, kindRing:
		return 1 + s.Tasks
	case kindIdle:
		return s.Tasks
	}
	return 3
}

// begun is how many tuples have arrived when it runs: one, and in a ring one at every node on the average.
func (s shape) begun() int64 {
	if s.Kind == kindRing {
		return int64(s.Tasks)
	}
	return 1
}

// sinks is how many tasks count what arrives.
func (s shape) sinks() int64 {
	switch s.Kind {
	case kindPairs, kindFields, kindRing:
		return int64(s.Tasks)
	case kindIdle:
		return int64(s.Tasks - 1)
	}
	return 1
}

// sum is what the bytes of one payload add up to.
func (s shape) sum() (sum int64) {
	for _, b := range []byte(s.payload()) {
		sum += int64(b)
	}
	if s.Fresh {
		sum += freshSum - 2*'x'
	}
	return sum
}

// args are the arguments of program for s.
func (s shape) args() []string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, numbers and booleans
	}
	return []string{string(text)}
}

func parseShape(args []string) (s shape, err error) {
	if len(args) != 1 {
		return s, fmt.Errorf("want one shape, got %q", args)
	}
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		return s, fmt.Errorf("read shape %q: %w", args[0], err)
	}
	return s, nil
}
