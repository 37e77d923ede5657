package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLineBytes is the longest line that the example takes.
const maxLineBytes = 1 << 20

// listText returns the files to count, in the order that gives them their numbers: files as named, folders as the
// sorted paths of the .go and .txt files in them, until limit bytes (0: no limit) are reached. Spout and judge both call
// it and get the same list as long as nobody changes the files.
func listText(paths []string, limit int64) ([]string, error) {
	var all []string
	for _, p := range paths {
		found, err := textUnder(p)
		if err != nil {
			return nil, fmt.Errorf("list the text: %w", err)
		}
		all = append(all, found...)
	}
	if limit <= 0 {
		return all, nil
	}
	sum := int64(0)
	for i, p := range all {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("list the text: %w", err)
		}
		if sum += info.Size(); sum >= limit {
			return all[:i+1], nil
		}
	}
	return all, nil
}

func textUnder(root string) ([]string, error) {
	info, err := os.Stat(root)
	if err != nil || !info.IsDir() {
		return []string{root}, err
	}
	var found []string
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && slices.Contains([]string{".go", ".txt"}, filepath.Ext(p)) {
			found = append(found, p)
		}
		return err
	})
	slices.Sort(found)
	return found, err
}

// lineReader reads the lines of one file.
type lineReader struct {
	file *os.File
	scan *bufio.Scanner
}

func openLines(path string) (*lineReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 64<<10), maxLineBytes)
	return &lineReader{f, s}, nil
}

// next returns the next line without its end; ok is false at the end of the file.
func (r *lineReader) next() (line string, ok bool, err error) {
	if r.scan.Scan() {
		return r.scan.Text(), true, nil
	}
	if err := r.scan.Err(); err != nil {
		return "", false, fmt.Errorf("read %s: %w", r.file.Name(), err)
	}
	return "", false, nil
}

func (r *lineReader) close() { r.file.Close() }

// nextWord cuts the first word off s. A word is a run of ASCII letters, digits and underscores; so says split.py too.
func nextWord(s string) (word, rest string, ok bool) {
	from := strings.IndexFunc(s, isWordRune)
	if from < 0 {
		return "", "", false
	}
	s = s[from:]
	to := strings.IndexFunc(s, func(r rune) bool { return !isWordRune(r) })
	if to < 0 {
		to = len(s)
	}
	return s[:to], s[to:], true
}

func isWordRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
}
