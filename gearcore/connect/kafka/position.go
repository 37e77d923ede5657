package kafka

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
