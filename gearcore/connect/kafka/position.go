package kafka

import (
	"cmp"
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
	Partitions int32           `json:"partitions"`   // how many there were: later ones are new and are read from their beginning; 0: the topic was gone
	At         map[int32]place `json:"at"`
	Unread     bool            `json:"unread,omitempty"` // the source does not read it: it is kept for one that does again
}

// isGone reports whether t says that the topic was not there: one that comes is not the first of its name.
func (t *topicPlace) isGone() bool { return t != nil && t.Partitions == 0 }

// place is where a partition is.
type place struct {
	Next   int64 `json:"next"`             // the offset to go on with
	Newest int64 `json:"newest,omitempty"` // event time
}

// merge takes over what p knows. Partitions that some task had heard of and another not yet are new: theirs that is not in At was not read.
func (all places) merge(p places) {
	for name, t := range p {
		if all[name] == nil {
			all[name] = &topicPlace{ID: t.ID, Partitions: t.Partitions, At: map[int32]place{}}
		}
		all[name].ID = cmp.Or(all[name].ID, t.ID)
		if n := all[name].Partitions; n == 0 || t.Partitions > 0 && t.Partitions < n {
			all[name].Partitions = t.Partitions
		}
		maps.Copy(all[name].At, t.At)
	}
}

// maxUnread bounds the topics and partitions of which places are kept that are not read.
const maxUnread = 10_000

// unread returns what all knows of other topics than these, up to maxUnread.
func (all places) unread(topics []string) places {
	out, n := places{}, 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		if size := 1 + len(t.At); !slices.Contains(topics, name) && n+size <= maxUnread {
			n += size
			out[name] = &topicPlace{ID: t.ID, Partitions: t.Partitions, At: t.At, Unread: true}
		}
	}
	return out
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
		if t.Unread {
			continue
		}
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
