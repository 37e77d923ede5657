package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// wordCount is a word and how often it was seen.
type wordCount struct {
	Word  string `json:"word"`
	Count int64  `json:"count"`
}

// top holds the topWords words with the largest counts, largest first. The zero value is empty.
type top struct{ words []wordCount }

// offer tells t that word has been seen n times; n may only grow.
func (t *top) offer(word string, n int64) {
	if len(t.words) == topWords && n <= t.words[topWords-1].Count {
		return
	}
	i := slices.IndexFunc(t.words, func(w wordCount) bool { return w.Word == word })
	switch {
	case i >= 0:
		t.words[i].Count = n
	case len(t.words) < topWords:
		t.words = append(t.words, wordCount{word, n})
	default:
		t.words[topWords-1] = wordCount{word, n}
	}
	sortTop(t.words)
}

func sortTop(words []wordCount) {
	slices.SortFunc(words, func(a, b wordCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
}

// topBolt writes the largest counts to top.json once a second. top.js does the same in Node.
type topBolt struct {
	top  top
	file string
}

func (b *topBolt) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	o, err := readConf(ctx.Conf)
	b.file = filepath.Join(o.dir, "top.json")
	return err
}

func (b *topBolt) Execute(t storm.Tuple, c *storm.Collector) error {
	b.top.offer(t.String(0), t.Int(1))
	c.Ack(t)
	return nil
}

// Tick writes the file, whole or not at all.
func (b *topBolt) Tick(*storm.Collector) error {
	data, err := json.Marshal(b.top.words)
	if err != nil {
		return fmt.Errorf("encode the top words: %w", err)
	}
	if err := os.WriteFile(b.file+".new", data, 0o644); err != nil {
		return fmt.Errorf("write the top words: %w", err)
	}
	if err := os.Rename(b.file+".new", b.file); err != nil {
		return fmt.Errorf("write the top words: %w", err)
	}
	return nil
}
