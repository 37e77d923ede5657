package blobstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// files lists every regular file under dir, for tests that nothing is left behind.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, rel)
		}
		return err
	}))
	return out
}

func TestCheckKey(t *testing.T) {
	for key, ok := range map[string]bool{
		"topo-1-2-stormjar.jar": true, "a b\tc_d.e-f": true, "schlüssel": true, "日本語": true, "..a": true, "...": true,
		"": false, ".": false, "..": false, "a/b": false, "a\\b": false, "a\x00": false, "a\n": false, "../x": false,
		"a:b": false, "a*": false, "\u2028": false, strings.Repeat("k", MaxKeyBytes): true,
		strings.Repeat("k", MaxKeyBytes+1): false, "bad\xff": false,
	} {
		if err := CheckKey(key); (err == nil) != ok || (err != nil && !errors.Is(err, ErrBadKey)) {
			t.Errorf("key %q: got %v, want ok %v", key, err, ok)
		}
	}
}

func TestBlobLife(t *testing.T) {
	clock := time.UnixMilli(1000)
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, Now: func() time.Time { return clock }})
	acl := ACL{{Other: true, Access: Read}}
	first, err := s.Create("k", acl, []byte("one"))
	must(t, err)
	want := Info{Key: "k", Version: 1000, Size: 3, ACL: acl, Replication: 1,
		SHA256: "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Fatalf("info (-want +got):\n%s", diff)
	}
	_, err = s.Create("k", nil, nil)
	wantErr(t, "second create", err, ErrExists)
	_, err = s.Update("other", nil)
	wantErr(t, "update of nothing", err, ErrNotFound)
	clock = time.UnixMilli(500) // a clock that jumps back must not make a version go back
	second, err := s.Update("k", []byte("second"))
	must(t, err)
	if second.Version != 1001 || !cmp.Equal(second.ACL, acl) {
		t.Fatalf("after update: version %d ACL %v, want 1001 and the old ACL", second.Version, second.ACL)
	}
	must(t, s.SetMeta("k", ACL{{User: "u", Access: All}}, 3))
	must(t, s.Close())

	s = open(t, Config{Dir: dir})
	got, err := s.ReadFile("k", 100)
	must(t, err)
	info, err := s.Info("k")
	must(t, err)
	if string(got) != "second" || info.Version != 1001 || info.Replication != 3 || info.ACL[0].User != "u" {
		t.Fatalf("after reopening: %q %+v", got, info)
	}
	_, err = s.ReadFile("k", 5)
	wantErr(t, "read with a small limit", err, ErrTooLarge)
	must(t, s.Delete("k"))
	wantErr(t, "second delete", s.Delete("k"), ErrNotFound)
	_, err = s.Info("k")
	wantErr(t, "info of a deleted blob", err, ErrNotFound)
	if left := files(t, dir); len(left) != 0 {
		t.Fatalf("files left after deletion: %v", left)
	}
}

func TestKeysInPages(t *testing.T) {
	s := open(t, Config{})
	for i := range 7 {
		_, err := s.Create(fmt.Sprintf("k%d", i), nil, nil)
		must(t, err)
	}
	var got []string
	for after := ""; ; {
		page := s.Keys(after, 3)
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), page[len(page)-1]
	}
	if want := []string{"k0", "k1", "k2", "k3", "k4", "k5", "k6"}; !cmp.Equal(want, got) {
		t.Fatalf("keys %v, want %v", got, want)
	}
}

func TestWritingSessions(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxBlobBytes: 10})
	id, err := s.BeginCreate("k", nil, 1)
	must(t, err)
	must(t, s.WriteSession(id, []byte("hello ")))
	_, err = s.Info("k")
	wantErr(t, "blob before its session ended", err, ErrNotFound)
	rival, err := s.BeginCreate("k", nil, 1)
	must(t, err)
	must(t, s.WriteSession(id, []byte("you")))
	info, err := s.FinishSession(id, 0)
	must(t, err)
	if info.Size != 9 {
		t.Fatalf("size %d, want 9", info.Size)
	}
	_, err = s.FinishSession(rival, 0)
	wantErr(t, "rival that finished second", err, ErrExists)
	wantErr(t, "write to an ended session", s.WriteSession(id, nil), ErrNoSession)
	wantErr(t, "jar upload on a blob session", s.WriteUpload(id, nil), ErrNoSession)

	big, err := s.BeginUpdate("k")
	must(t, err)
	must(t, s.WriteSession(big, make([]byte, 10)))
	wantErr(t, "one byte too many", s.WriteSession(big, []byte("x")), ErrTooLarge)
	_, err = s.FinishSession(big, 0)
	wantErr(t, "finish after the limit", err, ErrNoSession)

	next, err := s.BeginUpdate("k")
	must(t, err)
	above := info.Version + 1_000_000_000
	info, err = s.FinishSession(next, above) // another master wrote that one
	must(t, err)
	if info.Version != above+1 {
		t.Errorf("version %d, want %d", info.Version, above+1)
	}

	gone, err := s.BeginUpdate("k")
	must(t, err)
	must(t, s.CancelSession(gone))
	wantErr(t, "second cancel", s.CancelSession(gone), ErrNoSession)
	if got := files(t, filepath.Join(dir, "tmp")); len(got) != 0 {
		t.Fatalf("left in tmp: %v", got)
	}
}

func TestReadingSessions(t *testing.T) {
	s := open(t, Config{})
	_, err := s.Create("k", nil, []byte("0123456789"))
	must(t, err)
	id, info, err := s.BeginDownload("k")
	must(t, err)
	if info.Size != 10 {
		t.Fatalf("size %d, want 10", info.Size)
	}
	piece, err := s.ReadSession(id, 4)
	must(t, err)
	_, err = s.Update("k", []byte("changed"))
	must(t, err)
	must(t, s.Delete("k"))
	got := bytes.Clone(piece)
	for {
		piece, err := s.ReadSession(id, 4)
		must(t, err)
		if len(piece) == 0 {
			break
		}
		got = append(got, piece...)
	}
	if string(got) != "0123456789" {
		t.Fatalf("read %q over an update and a deletion, want the version it began with", got)
	}
	_, err = s.ReadSession(id, 4)
	wantErr(t, "read after the end", err, ErrNoSession)
	_, _, err = s.BeginDownload("k")
	wantErr(t, "download of a deleted blob", err, ErrNotFound)
}

func TestIdleSessionsExpire(t *testing.T) {
	clock := time.Unix(0, 0)
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, Idle: time.Minute, Keep: time.Hour, Now: func() time.Time { return clock }})
	_, err := s.Create("k", nil, []byte("x"))
	must(t, err)
	up, err := s.BeginUpdate("k")
	must(t, err)
	jar, err := s.BeginUpload()
	must(t, err)
	down, _, err := s.BeginDownload("k")
	must(t, err)
	kept, err := s.BeginUpload()
	must(t, err)
	must(t, s.FinishUpload(kept))
	clock = clock.Add(59 * time.Second)
	must(t, s.WriteSession(up, []byte("y")))
	clock = clock.Add(2 * time.Second)
	must(t, s.WriteSession(up, []byte("y")))
	wantErr(t, "idle upload", s.WriteUpload(jar, []byte("y")), ErrNoSession)
	_, err = s.ReadSession(down, 1)
	wantErr(t, "idle download", err, ErrNoSession)
	f, _, err := s.OpenUpload(kept)
	must(t, err)
	must(t, f.Close())
	clock = clock.Add(2 * time.Hour)
	s.Expire()
	_, _, err = s.OpenUpload(kept)
	wantErr(t, "upload kept for too long", err, ErrNoSession)
	if got := files(t, dir); len(got) != 2 { // meta and data of k
		t.Fatalf("files after everything expired: %v", got)
	}
}

func TestBounds(t *testing.T) {
	s := open(t, Config{MaxBlobs: 1, MaxSessions: 2})
	_, err := s.Create("a", nil, []byte("x"))
	must(t, err)
	_, err = s.Create("b", nil, nil)
	wantErr(t, "blob over the limit", err, ErrFull)
	for range 2 {
		_, err := s.BeginUpload()
		must(t, err)
		_, _, err = s.BeginDownload("a")
		must(t, err)
	}
	_, err = s.BeginUpload()
	wantErr(t, "upload over the limit", err, ErrFull)
	_, _, err = s.BeginDownload("a")
	wantErr(t, "download over the limit", err, ErrFull)
	if _, err := Open(Config{Dir: t.TempDir(), MaxBlobs: -1}); err == nil {
		t.Fatal("a negative limit was accepted")
	}
}

func TestInbox(t *testing.T) {
	s := open(t, Config{MaxBlobBytes: 8})
	loc, err := s.BeginUpload()
	must(t, err)
	_, _, err = s.OpenUpload(loc)
	wantErr(t, "open before finish", err, ErrNoSession)
	must(t, s.WriteUpload(loc, []byte("jar")))
	must(t, s.FinishUpload(loc))
	wantErr(t, "write after finish", s.WriteUpload(loc, nil), ErrNoSession)
	wantErr(t, "second finish", s.FinishUpload(loc), ErrNoSession)
	for _, foreign := range []string{"", "/etc/passwd", "../tmp", "inbox/" + loc, loc + "/..", "blobs"} {
		_, _, err := s.OpenUpload(foreign)
		wantErr(t, "foreign location "+foreign, err, ErrNoSession)
		_, err = s.CreateFromUpload("x", nil, foreign)
		wantErr(t, "blob of foreign location "+foreign, err, ErrNoSession)
	}
	for _, key := range []string{"one", "two"} { // an upload may be submitted more than once
		info, err := s.CreateFromUpload(key, nil, loc)
		must(t, err)
		got, err := s.ReadFile(key, 8)
		must(t, err)
		if string(got) != "jar" || info.Size != 3 {
			t.Fatalf("blob %s: %q, %+v", key, got, info)
		}
	}
	_, err = s.CreateFromUpload("one", nil, loc)
	wantErr(t, "blob that exists", err, ErrExists)
}

func TestDamageIsReported(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	_, err := s.Create("k", nil, []byte("contents"))
	must(t, err)
	must(t, s.Close())
	data, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "d*"))
	must(t, err)
	must(t, os.WriteFile(data[0], []byte("CONTENTS"), 0o600))
	s = open(t, Config{Dir: dir})
	if _, err := s.ReadFile("k", 100); err == nil || !strings.Contains(err.Error(), "hash") {
		t.Fatalf("changed contents: got %v, want an error about the hash", err)
	}
	must(t, s.Close())
}

// TestReadersAndWriters checks with the race detector, and by content, that a reader sees one whole version.
func TestReadersAndWriters(t *testing.T) {
	s := open(t, Config{})
	content := func(n int) []byte { return bytes.Repeat([]byte{byte('a' + n%26)}, 1000) }
	_, err := s.Create("k", nil, content(0))
	must(t, err)
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for n := range 15 {
				if _, err := s.Update("k", content(w*15+n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := s.ReadFile("k", 1000)
				if err != nil || len(got) != 1000 || got[0] != got[999] {
					t.Errorf("read %d bytes, %v", len(got), err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
