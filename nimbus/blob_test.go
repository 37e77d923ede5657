package nimbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// putBlob creates or updates a blob as Storm's clients do.
func (c *testCluster) putBlob(key string, data []byte, create bool) {
	c.t.Helper()
	ctx := c.t.Context()
	var session string
	var err error
	if create {
		session, err = c.client.BeginCreateBlob(ctx, key, &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{
			{Type: stormrpc.AccessControlType_USER, Access: 7}, {Type: stormrpc.AccessControlType_OTHER, Access: 1}}, ReplicationFactor: ref(int32(-1))})
	} else {
		session, err = c.client.BeginUpdateBlob(ctx, key)
	}
	must(c.t, err)
	for piece := range bytes.SplitSeq(data, []byte("|")) {
		must(c.t, c.client.UploadBlobChunk(ctx, session, piece))
	}
	must(c.t, c.client.FinishBlobUpload(ctx, session))
	must(c.t, c.client.CreateStateInZookeeper(ctx, key))
}

func (c *testCluster) getBlob(key string) (string, *stormrpc.BeginDownloadResult_) {
	c.t.Helper()
	ctx := c.t.Context()
	d, err := c.client.BeginBlobDownload(ctx, key)
	must(c.t, err)
	var out strings.Builder
	for {
		piece, err := c.client.DownloadBlobChunk(ctx, d.Session)
		must(c.t, err)
		if len(piece) == 0 {
			return out.String(), d
		}
		if len(piece) > 65536 {
			c.t.Fatalf("piece of %d bytes", len(piece))
		}
		out.Write(piece)
	}
}

func TestBlobLife(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	c.putBlob("dep a.jar", []byte("one|two"), true)
	got, first := c.getBlob("dep a.jar")
	if got != "onetwo" || first.GetDataSize() != 6 {
		t.Fatalf("blob %q of %d bytes", got, first.GetDataSize())
	}
	big := strings.Repeat("0123456789", 20_000)
	c.putBlob("dep a.jar", []byte(big), false)
	if got, second := c.getBlob("dep a.jar"); got != big || second.Version <= first.Version {
		t.Fatalf("after the update: %d bytes, version %d after %d", len(got), second.Version, first.Version)
	}
	meta, err := c.client.GetBlobMeta(ctx, "dep a.jar")
	must(t, err)
	// Nobody is known here, so the entry of the creator goes and the blob is open, as with real Storm.
	want := "OTHER 1, OTHER 7"
	if diff := cmp.Diff(want, aclText(meta.Settable.Acl)); diff != "" {
		t.Errorf("access list (-want +got):\n%s", diff)
	}
	must(t, c.client.SetBlobMeta(ctx, "dep a.jar", &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{
		{Type: stormrpc.AccessControlType_OTHER, Access: 7}, {Type: stormrpc.AccessControlType_USER, Name: ref("bob"), Access: 3}}}))
	meta, err = c.client.GetBlobMeta(ctx, "dep a.jar")
	must(t, err)
	if diff := cmp.Diff("OTHER 7, USER bob 3", aclText(meta.Settable.Acl)); diff != "" {
		t.Errorf("access list after a change (-want +got):\n%s", diff)
	}
	if n, err := c.client.GetBlobReplication(ctx, "dep a.jar"); err != nil || n != 1 {
		t.Errorf("replication %d, %v", n, err)
	}
	if yes, err := c.client.IsRemoteBlobExists(ctx, "dep a.jar"); err != nil || !yes {
		t.Errorf("exists: %v, %v", yes, err)
	}
	must(t, c.client.DeleteBlob(ctx, "dep a.jar"))
	if yes, err := c.client.IsRemoteBlobExists(ctx, "dep a.jar"); err != nil || yes {
		t.Errorf("exists after deletion: %v, %v", yes, err)
	}
}

func aclText(acl []*stormrpc.AccessControl) string {
	var out []string
	for _, e := range acl {
		out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %d", e.Type, e.GetName(), e.Access)), " "))
	}
	return strings.Join(out, ", ")
}

func TestBlobRefusals(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	c.putBlob("k", []byte("x"), true)
	var exists *stormrpc.KeyAlreadyExistsException
	if _, err := c.client.BeginCreateBlob(ctx, "k", &stormrpc.SettableBlobMeta{}); !errors.As(err, &exists) || exists.Msg != "k" {
		t.Errorf("second create: %v", err)
	}
	for name, call := range map[string]func() error{
		"update":   func() error { _, err := c.client.BeginUpdateBlob(ctx, "none"); return err },
		"meta":     func() error { _, err := c.client.GetBlobMeta(ctx, "none"); return err },
		"set meta": func() error { return c.client.SetBlobMeta(ctx, "none", &stormrpc.SettableBlobMeta{}) },
		"download": func() error { _, err := c.client.BeginBlobDownload(ctx, "none"); return err },
		"delete":   func() error { return c.client.DeleteBlob(ctx, "none") },
		"replicas": func() error { _, err := c.client.GetBlobReplication(ctx, "none"); return err },
	} {
		var missing *stormrpc.KeyNotFoundException
		if err := call(); !errors.As(err, &missing) || missing.Msg != "none" {
			t.Errorf("%s of a missing blob: %v", name, err)
		}
	}
	for name, call := range map[string]func() error{
		"bad key":              func() error { _, err := c.client.BeginCreateBlob(ctx, "a/b", &stormrpc.SettableBlobMeta{}); return err },
		"dots":                 func() error { _, err := c.client.BeginCreateBlob(ctx, "..", &stormrpc.SettableBlobMeta{}); return err },
		"chunk for no session": func() error { return c.client.UploadBlobChunk(ctx, "nope", nil) },
		"finish no session":    func() error { return c.client.FinishBlobUpload(ctx, "nope") },
		"cancel no session":    func() error { return c.client.CancelBlobUpload(ctx, "nope") },
		"read no session":      func() error { _, err := c.client.DownloadBlobChunk(ctx, "nope"); return err },
		"list no session":      func() error { _, err := c.client.ListBlobs(ctx, "nope"); return err },
		"replication":          func() error { _, err := c.client.UpdateBlobReplication(ctx, "k", 2); return err },
		"chunk for no upload":  func() error { return c.client.UploadChunk(ctx, "/tmp/x", nil) },
		"finish no upload":     func() error { return c.client.FinishFileUpload(ctx, "/tmp/x") },
		"rights out of range": func() error {
			_, err := c.client.BeginCreateBlob(ctx, "z", &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{{Type: stormrpc.AccessControlType_OTHER, Access: 8}}})
			return err
		},
		"a key of topologies": func() error {
			_, err := c.client.BeginCreateBlob(ctx, "w-1-1-stormjar.jar", &stormrpc.SettableBlobMeta{})
			return err
		},
	} {
		if got := answer(call()); got != "application 6" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestBlobsOfLiveTopologiesStay(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	c.putBlob("dict", []byte("x"), true)
	id := c.submitWords("words", `{"topology.blobstore.map": {"dict": {"localname": "d"}}}`)
	for key, want := range map[string]string{
		client.JarKey(id): "Attempting to delete blob " + id + "-stormjar.jar from under active topology " + id,
		"dict":            "Attempting to delete active blob dict used by topology " + id,
	} {
		var used *stormrpc.IllegalStateException
		if err := c.client.DeleteBlob(ctx, key); !errors.As(err, &used) || used.Msg != want {
			t.Errorf("delete %s: %v", key, err)
		}
	}
}

func TestListBlobsInPages(t *testing.T) {
	c := start(t, nil)
	for i := range 150 {
		key := fmt.Sprintf("k%03d", i)
		_, err := c.blobs.Create(key, nil, nil)
		must(t, err)
		must(t, c.recordBlob(t.Context(), key))
	}
	var got []string
	session := ""
	for pages := 0; ; pages++ {
		r, err := c.client.ListBlobs(t.Context(), session)
		must(t, err)
		if len(r.Keys) == 0 {
			if pages != 2 {
				t.Errorf("%d pages, want 2", pages)
			}
			break
		}
		got, session = append(got, r.Keys...), r.Session
	}
	if len(got) != 150 || got[0] != "k000" || got[149] != "k149" {
		t.Fatalf("%d keys from %s to %s", len(got), got[0], got[len(got)-1])
	}
}

func TestBlobsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	config := func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), dir+"/blobs" }
	c := start(t, config)
	c.putBlob("recorded", []byte("x"), true)
	c.putBlob("updated", []byte("x"), true)
	_, err := c.blobs.Create("not acknowledged", nil, []byte("y"))
	must(t, err)
	_, err = c.blobs.Update("updated", []byte("written right before a crash"))
	must(t, err)
	c.stop()
	must(t, c.cfg.Store.Close())
	c = start(t, config)
	for _, key := range []string{"recorded", "updated"} {
		if n, err := c.client.GetBlobReplication(t.Context(), key); err != nil || n != 1 {
			t.Errorf("%s: replication %d, %v", key, n, err)
		}
	}
	b, err := cluster.ReadBlob(t.Context(), c.cfg.Store, "updated")
	must(t, err)
	if info, err := c.blobs.Info("updated"); err != nil || info.SHA256 != b.SHA256 {
		t.Errorf("the record has hash %s, the contents %s, %v", b.SHA256, info.SHA256, err)
	}
	if _, err := c.client.GetBlobReplication(t.Context(), "not acknowledged"); !isKeyNotFound(err) {
		t.Errorf("a blob without a record: %v", err)
	}
	c.putBlob("not acknowledged", []byte("z"), true) // its name is free
}

func isKeyNotFound(err error) bool {
	_, ok := errors.AsType[*stormrpc.KeyNotFoundException](err)
	return ok
}

// as returns a context of a call by user.
func as(t *testing.T, user string) context.Context {
	return wire.WithCaller(t.Context(), wire.Peer{Principal: user})
}

func TestAccessLists(t *testing.T) {
	c := start(t, func(cfg *Config) {
		cfg.Conf = conf.Merge(cfg.Conf, conf.Conf{"storm.blobstore.acl.validation.enabled": true,
			"nimbus.admins": []any{"root"}, "nimbus.supervisor.users": []any{"node"}})
	})
	session, err := c.BeginCreateBlob(as(t, "bob"), "k", &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{
		{Type: stormrpc.AccessControlType_USER, Name: ref("eve"), Access: 1}}})
	must(t, err)
	must(t, c.FinishBlobUpload(as(t, "bob"), session))
	for _, step := range []struct {
		user, what string
		err        error
		want       string
	}{
		{"eve", "read", second(c.BeginBlobDownload(as(t, "eve"), "k")), "ok"},
		{"eve", "meta", second(c.GetBlobMeta(as(t, "eve"), "k")), "ok"},
		{"eve", "write", second(c.BeginUpdateBlob(as(t, "eve"), "k")), "Authorization [eve] does not have [WRITE ] access to k"},
		{"eve", "admin", c.SetBlobMeta(as(t, "eve"), "k", &stormrpc.SettableBlobMeta{}), "Authorization [eve] does not have [ADMIN ] access to k"},
		{"eve", "delete", c.DeleteBlob(as(t, "eve"), "k"), "Authorization [eve] does not have [WRITE ] access to k"},
		{"mallory", "read", second(c.BeginBlobDownload(as(t, "mallory"), "k")), "Authorization [mallory] does not have [READ ] access to k"},
		{"mallory", "meta", second(c.GetBlobMeta(as(t, "mallory"), "k")), "Authorization [mallory] does not have access to k"},
		{"", "read", second(c.BeginBlobDownload(as(t, ""), "k")), "Authorization [] does not have [READ ] access to k"},
		{"node", "read", second(c.BeginBlobDownload(as(t, "node"), "k")), "ok"},
		{"node", "write", second(c.BeginUpdateBlob(as(t, "node"), "k")), "Authorization [node] does not have [WRITE ] access to k"},
		{"root", "write", second(c.BeginUpdateBlob(as(t, "root"), "k")), "ok"},
		{"bob", "delete", c.DeleteBlob(as(t, "bob"), "k"), "ok"},
	} {
		if got := answer(step.err); got != step.want {
			t.Errorf("%s may %s: got %s, want %s", step.user, step.what, got, step.want)
		}
	}
	if _, err := c.BeginCreateBlob(as(t, "bob"), "k2", &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{
		{Type: stormrpc.AccessControlType_USER, Name: ref("eve"), Access: 1}, {Type: stormrpc.AccessControlType_USER, Name: ref("eve"), Access: 2}}}); answer(err) !=
		"Authorization user [eve] can't appear more than once in the ACLs for key [k2]." {
		t.Errorf("a user twice: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
