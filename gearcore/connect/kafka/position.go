package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// places are the positions of a source, by topic: of its own partitions, or of all tasks' where parts were put together.
type places map[string]*topicPlace

// topicPlace is what is known of a topic.
type topicPlace struct {
	ID         string          `json:"id,omitempty"` // Kafka's, which another topic of the same name has not
	Partitions int32           `json:"partitions"`   // how many there were: later ones are new and are read from their beginning
	At         map[int32]place `json:"at"`
}

// place is where a partition is.
type place struct {
	Next   int64 `json:"next"`             // the offset to go on with
	Newest int64 `json:"newest,omitempty"` // event time
}

// merge takes over what p knows.
func (all places) merge(p places) {
	for name, t := range p {
		if all[name] == nil {
			all[name] = &topicPlace{ID: t.ID, Partitions: t.Partitions, At: map[int32]place{}}
		}
		all[name].Partitions = max(all[name].Partitions, t.Partitions)
		maps.Copy(all[name].At, t.At)
	}
}

// placesOf reads the part of a source in a checkpoint.
func placesOf(ctx context.Context, from gearcore.Vault, part gearcore.Part) (places, error) {
	data, err := connect.Content(ctx, from, part)
	var p places
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

// Offsets returns where the source that has this part in a checkpoint goes on: the next offset of each of its partitions, by topic. It is for
// tools; a source reads its parts itself.
func Offsets(ctx context.Context, from gearcore.Vault, part gearcore.Part) (map[string]map[int32]int64, error) {
	at, err := placesOf(ctx, from, part)
	if err != nil {
		return nil, fmt.Errorf("read the offsets of a kafka source: %w", err)
	}
	out := map[string]map[int32]int64{}
	for topic, t := range at {
		out[topic] = map[int32]int64{}
		for number, p := range t.At {
			out[topic][number] = p.Next
		}
	}
	return out, nil
}

// noteLimit bounds the text of places for people.
const noteLimit = 200

// String is as "lines/0@123 lines/2@99".
func (all places) String() string {
	var out []string
	n := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := all[name].At
		for _, p := range slices.Sorted(maps.Keys(at)) {
			text := fmt.Sprintf("%s/%d@%d", name, p, at[p].Next)
			if n += len(text); n > noteLimit {
				return strings.Join(out, " ") + " ..."
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, " ")
}
