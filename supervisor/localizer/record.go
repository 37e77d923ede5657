package localizer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

const (
	recordName     = ".localized"
	recordFormat   = 2
	maxRecordBytes = 64 << 20
)

// record is the file .localized of a topology's directory, written when all else is there. The files are not synced to
// disk: after a crash of the machine the hashes tell.
type record struct {
	Format   int    `json:"format"`
	Platform string `json:"platform"`
	// CodeVersion is that of the plan the code was fetched for, 0 if it named none.
	CodeVersion int64 `json:"code_version,omitempty"`
	// CodeID is its code id, "" for the topology's id.
	CodeID   string            `json:"code_id,omitempty"`
	Versions map[string]int64  `json:"versions"` // by key, of the blobs that lie here
	Files    map[string]string `json:"files"`    // path below the directory -> SHA-256 in hex
	Links    map[string]link   `json:"links,omitempty"`
	Binary   string            `json:"binary,omitempty"`
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

// checkFiles compares files with their hashes. Files that came to them, as compiled scripts do, do not matter.
func checkFiles(root *os.Root, files map[string]string) error {
	for name, want := range files {
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

func readRecord(root *os.Root) (*record, error) {
	r := &record{}
	return r, readJSON(root, r, &r.Format)
}

// writeJSON replaces the record of a directory.
func writeJSON(root *os.Root, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	const fresh = recordName + ".new"
	if err := root.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	return root.Rename(fresh, recordName)
}

// readJSON reads the record of a directory and refuses one of another format.
func readJSON(root *os.Root, v any, format *int) error {
	f, err := root.Open(recordName)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecordBytes))
	if err != nil {
		return fmt.Errorf("read %s: %w", recordName, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", recordName, err)
	}
	if *format != recordFormat {
		return fmt.Errorf("%s has format %d, known is %d", recordName, *format, recordFormat)
	}
	return nil
}
