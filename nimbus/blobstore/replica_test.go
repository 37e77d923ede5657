package blobstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func infoOf(key string, version int64, data string) Info {
	sum := sha256.Sum256([]byte(data))
	return Info{Key: key, Version: version, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Replication: 2,
		ACL: ACL{{User: "u", Access: Read}}}
}

// A replica has the version and the rights that it has elsewhere, whatever stood under its key.
func TestReplica(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	for _, version := range []int64{70, 50} {
		info := infoOf("k", version, "contents of "+strings.Repeat("x", int(version)))
		must(t, s.PutReplica(info, iotest.OneByteReader(strings.NewReader("contents of "+strings.Repeat("x", int(version)))), func() bool { return true }))
		got, err := s.Info("k")
		must(t, err)
		if got.Version != version || got.SHA256 != info.SHA256 || len(got.ACL) != 1 || got.Replication != 2 {
			t.Fatalf("replica is %+v, want %+v", got, info)
		}
	}
	updated, err := s.Update("k", []byte("new"))
	must(t, err)
	if updated.Base != 50 || updated.Version <= 50 {
		t.Fatalf("an update after version 50 is %+v", updated)
	}
	must(t, s.Close())
	s = open(t, Config{Dir: dir})
	if got, err := s.ReadFile("k", 100); err != nil || string(got) != "new" {
		t.Fatalf("after a restart: %q, %v", got, err)
	}
}

func TestReplicaThatDoesNotMatch(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxBlobBytes: 1000})
	_, err := s.Create("k", nil, []byte("old"))
	must(t, err)
	broken := errors.New("cut off")
	big := infoOf("k", 5, "contents")
	big.Size = 1001
	for name, c := range map[string]struct {
		info Info
		data io.Reader
		want error
	}{
		"other bytes": {infoOf("k", 5, "contents"), strings.NewReader("CONTENTS"), ErrDamaged},
		"shorter":     {infoOf("k", 5, "contents"), strings.NewReader("content"), ErrDamaged},
		"longer":      {infoOf("k", 5, "contents"), strings.NewReader("contents and more"), ErrTooLarge},
		"too large":   {big, strings.NewReader("contents"), ErrTooLarge},
		"bad key":     {infoOf("../k", 5, "contents"), strings.NewReader("contents"), ErrBadKey},
		"cut off":     {infoOf("k", 5, "contents"), iotest.ErrReader(broken), broken},
	} {
		wantErr(t, name, s.PutReplica(c.info, c.data, func() bool { return true }), c.want)
	}
	late := s.PutReplica(infoOf("k", 5, "contents"), strings.NewReader("contents"), func() bool { return false })
	wantErr(t, "not wanted any more", late, ErrNotFound)
	if got, err := s.ReadFile("k", 100); err != nil || string(got) != "old" {
		t.Fatalf("the old contents are %q, %v", got, err)
	}
	if left := files(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestReadPart(t *testing.T) {
	s := open(t, Config{})
	info, err := s.Create("k", nil, []byte("0123456789"))
	must(t, err)
	for _, c := range []struct {
		offset int64
		most   int
		want   string
	}{{0, 4, "0123"}, {4, 100, "456789"}, {10, 4, ""}, {1 << 60, 4, ""}, {-1, 4, ""}} {
		if got, err := s.ReadPart("k", info.SHA256, c.offset, c.most); err != nil || string(got) != c.want {
			t.Errorf("from %d: %q, %v, want %q", c.offset, got, err, c.want)
		}
	}
	_, err = s.ReadPart("k", "other", 0, 4)
	wantErr(t, "other contents", err, ErrNotFound)
	_, err = s.ReadPart("gone", info.SHA256, 0, 4)
	wantErr(t, "no such blob", err, ErrNotFound)
}

// Damage found at the start or later takes away one blob only, and its files stay for a day.
func TestDamagedBlobsAreSetAside(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	s := open(t, Config{Dir: dir})
	for _, key := range []string{"cut", "flipped", "no meta", "whole"} {
		_, err := s.Create(key, nil, []byte("contents of "+key))
		must(t, err)
	}
	must(t, s.Close())
	data := func(key string) string {
		all, err := filepath.Glob(filepath.Join(dir, dirOf(key), "d*"))
		must(t, err)
		return all[0]
	}
	must(t, os.Truncate(data("cut"), 2))
	must(t, os.WriteFile(data("flipped"), []byte("Contents of flipped"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, dirOf("no meta"), "meta"), []byte("{"), 0o600))
	s = open(t, Config{Dir: dir, Now: func() time.Time { return now }})
	if got := s.Keys("", 10); len(got) != 2 {
		t.Fatalf("after a start with damage: %v", got)
	}
	wantErr(t, "changed contents", s.Verify("flipped"), ErrDamaged)
	must(t, s.Verify("whole"))
	if got := s.Keys("", 10); len(got) != 1 || got[0] != "whole" {
		t.Fatalf("after all were read: %v", got)
	}
	if left := files(t, filepath.Join(dir, "aside")); len(left) != 6 {
		t.Fatalf("set aside: %v", left)
	}
	_, err := s.Create("cut", nil, []byte("again")) // its name is free
	must(t, err)
	now = now.Add(25 * time.Hour)
	s.Expire()
	if left := files(t, filepath.Join(dir, "aside")); len(left) != 0 {
		t.Fatalf("after a day: %v", left)
	}
}

func TestEndUploads(t *testing.T) {
	s := open(t, Config{})
	open, err := s.BeginUpload()
	must(t, err)
	finished, err := s.BeginUpload()
	must(t, err)
	must(t, s.FinishUpload(finished))
	session, err := s.BeginCreate("k", nil, 1)
	must(t, err)
	s.EndUploads()
	wantErr(t, "chunk of a jar", s.WriteUpload(open, bytes.Repeat([]byte("x"), 10)), ErrNoSession)
	wantErr(t, "chunk of a blob", s.WriteSession(session, []byte("x")), ErrNoSession)
	_, _, err = s.OpenUpload(finished)
	wantErr(t, "a finished jar", err, ErrNoSession)
}
