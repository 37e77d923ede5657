package main

import "fmt"

// verdict compares what the topology counted with what stands in the text.
type verdict struct {
	words      int // in the text
	distinct   int
	lost       int // in the text, in no ledger
	duplicated int // in the ledgers once more than needed
	foreign    int // in a ledger, not in the text
}

// text is the plain sequential count: every word in the order of the text.
type text struct {
	words  []uint32 // number of the word, by place
	number map[string]uint32
	lines  [][]uint32 // by file and line: place of the line's first word; one more at the end of each file
}

// readText counts the files one after the other.
func readText(files []string) (*text, error) {
	t := &text{number: map[string]uint32{}}
	for _, path := range files {
		if err := t.readFile(path); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *text) readFile(path string) error {
	r, err := openLines(path)
	if err != nil {
		return fmt.Errorf("count %s: %w", path, err)
	}
	defer r.close()
	var starts []uint32
	for {
		line, ok, err := r.next()
		if err != nil {
			return err
		}
		starts = append(starts, uint32(len(t.words)))
		if !ok {
			t.lines = append(t.lines, starts)
			return nil
		}
		for word, rest, ok := nextWord(line); ok; word, rest, ok = nextWord(rest) {
			n, known := t.number[word]
			if !known {
				n = uint32(len(t.number))
				t.number[word] = n
			}
			t.words = append(t.words, n)
		}
	}
}

// place returns the place of e among t.words; ok is false if the text has no such word there.
func (t *text) place(e entry) (n int, ok bool) {
	if e.file >= len(t.lines) || e.line+1 >= len(t.lines[e.file]) {
		return 0, false
	}
	starts := t.lines[e.file]
	n = int(starts[e.line]) + e.index
	word, known := t.number[e.word]
	return n, known && n < int(starts[e.line+1]) && t.words[n] == word
}

// wordsBefore returns how many words stand in the lines that are acked; those ahead are taken for the ones right after
// the start.
func (t *text) wordsBefore(p progress) int {
	file, line := p.start.file, p.start.line+p.ahead
	for file < len(t.lines) && line >= len(t.lines[file])-1 {
		line -= len(t.lines[file]) - 1
		file++
	}
	if file >= len(t.lines) {
		return len(t.words)
	}
	return int(t.lines[file][line])
}

// judge reads all ledgers of dir.
func judge(t *text, dir string) (verdict, error) {
	v := verdict{words: len(t.words), distinct: len(t.number)}
	seen := make([]bool, len(t.words))
	err := readLedgers(dir, "count-*.ledger", func(e entry) {
		n, ok := t.place(e)
		switch {
		case !ok:
			v.foreign++
		case seen[n]:
			v.duplicated++
		default:
			seen[n] = true
		}
	})
	for _, s := range seen {
		if !s {
			v.lost++
		}
	}
	return v, err
}
