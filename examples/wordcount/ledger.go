package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// entry is one word that was counted: where it stands, and what it is.
type entry struct {
	file, line, index int
	word              string
}

// appendEntry appends the text of an entry, one line.
func appendEntry(dst []byte, e entry) []byte {
	dst = strconv.AppendInt(dst, int64(e.file), 10)
	dst = strconv.AppendInt(append(dst, ' '), int64(e.line), 10)
	dst = strconv.AppendInt(append(dst, ' '), int64(e.index), 10)
	dst = append(append(dst, ' '), e.word...)
	return append(dst, '\n')
}

// readLedgers calls f with every entry in the ledgers of dir that pattern matches. A last line without its end is one
// that a kill cut off: it was not acked, so it stands elsewhere too, and is skipped.
func readLedgers(dir, pattern string, f func(entry)) error {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return fmt.Errorf("list the ledgers: %w", err)
	}
	for _, name := range names {
		if err := readLedger(name, f); err != nil {
			return err
		}
	}
	return nil
}

func readLedger(name string, f func(entry)) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read a ledger: %w", err)
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read ledger %s, line %d: %w", name, n, err)
		}
		e, err := parseEntry(line[:len(line)-1])
		if err != nil {
			return fmt.Errorf("read ledger %s, line %d: %w", name, n, err)
		}
		f(e)
	}
}

func parseEntry(line []byte) (entry, error) {
	var e entry
	rest := line
	for _, p := range []*int{&e.file, &e.line, &e.index} {
		field, after, ok := bytes.Cut(rest, []byte{' '})
		n, err := strconv.Atoi(string(field))
		if !ok || err != nil || n < 0 {
			return entry{}, fmt.Errorf("not an entry: %q", line)
		}
		*p, rest = n, after
	}
	e.word = string(rest)
	return e, nil
}
