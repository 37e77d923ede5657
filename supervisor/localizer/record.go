package localizer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	recordName     = ".localized"
	recordFormat   = 1
	maxRecordBytes = 64 << 20
)

// record is the file .localized of a topology's directory, written when all else is there. The files are not synced to
// disk: after a crash of the machine the hashes tell.
type record struct {
	Format   int               `json:"format"`
	Platform string            `json:"platform"`
	Versions map[string]int64  `json:"versions"` // by blob key
	Files    map[string]string `json:"files"`    // path below the directory -> SHA-256 in hex
	Binary   string            `json:"binary,omitempty"`
}

// hashAll fills Files with all regular files below root.
func (r *record) hashAll(root *os.Root) error {
	r.Files = map[string]string{}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == recordName {
			return err
		}
		sum, err := hashFile(root, name)
		r.Files[name] = sum
		return err
	})
}

// check compares the files with their hashes. Files that came to it, as compiled scripts do, do not matter.
func (r *record) check(root *os.Root) error {
	for name, want := range r.Files {
		got, err := hashFile(root, name)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s has sha256 %s, was %s", name, got, want)
		}
	}
	return nil
}

func hashFile(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (r *record) write(root *os.Root) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return root.WriteFile(recordName, data, 0o600)
}

func readRecord(root *os.Root) (*record, error) {
	f, err := root.Open(recordName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecordBytes))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", recordName, err)
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", recordName, err)
	}
	if r.Format != recordFormat {
		return nil, fmt.Errorf("%s has format %d, known is %d", recordName, r.Format, recordFormat)
	}
	return r, nil
}
