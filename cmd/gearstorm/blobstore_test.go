package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TestBlobstore goes through the seven commands of Storm's blobstore, against a Nimbus.
func TestBlobstore(t *testing.T) {
	bare(t)
	state := mem.New()
	defer state.Close()
	t.Setenv(seeds.Env, startMaster(t, state).Addr())
	write(t, "first", strings.Repeat("0123456789", 20_000)) // several chunks
	write(t, "second", "changed")
	version := regexp.MustCompile(` \d+ \[`)
	for _, c := range []struct {
		args, stdout string
		code         int
		stderr       string
	}{
		{"blobstore list", "", 0, ""},
		{"blobstore create k.txt -f first -a u:bob:rw,o::r", "Creating k.txt with ACL [u:bob:rw-, o::r--]\nSuccessfully created k.txt\n", 0, ""},
		{"blobstore create k.txt -f first", "Creating k.txt with ACL []\n", 1, "storm: there is a blob k.txt; `blobstore update` changes it\n"},
		{"blobstore list", "k.txt V [u:bob:rw-, o::r--, o::rwa]\n", 0, ""},
		{"blobstore list k.txt nosuch", "k.txt V [u:bob:rw-, o::r--, o::rwa]\nnosuch NOT FOUND\n", 0, ""},
		{"blobstore cat k.txt -f got", "", 0, ""},
		{"blobstore update k.txt --file second", "Successfully updated k.txt\n", 0, ""},
		{"blobstore cat k.txt", "changed", 0, ""},
		{"blobstore update nosuch -f second", "", 1, "storm: no blob nosuch; `blobstore list` shows those that are there\n"},
		{"blobstore set-acl k.txt -s o::rwa", "Setting ACL for k.txt to [o::rwa]\n", 0, ""},
		{"blobstore set-acl k.txt", "Setting ACL for k.txt to [o::rwa]\n", 0, ""},
		{"blobstore set-acl k.txt -s x:y:z", "", 1, "storm: -s: access \"x:y:z\": \"x\" is neither u (a user) nor o (the others)\n"},
		{"blobstore list k.txt", "k.txt V [o::rwa]\n", 0, ""},
		{"blobstore replication --read k.txt", "Current replication factor 1\n", 0, ""},
		{"blobstore replication --update -r 2 k.txt", "", 1, "storm: the number of masters that hold a blob cannot be set, as with Storm's local store; every master copies all blobs\n"},
		{"blobstore create a/b -f first", "", 1, "storm: invalid blob key: \"a/b\"; a key has letters, digits, blanks, _, . and -\n"},
		{"blobstore create k2 -f nosuch", "", 1, "storm: open nosuch: no such file or directory\n"},
		{"blobstore create k2 -f .", "", 1, "storm: . is a folder; a blob is one file, such as an archive of it\n"},
		{"blobstore create k2 -r 0 -f first", "", 2, "storm: -r 0: want a positive number of replicas; usage: storm blobstore create [OPTION]... KEY (`storm blobstore create --help` tells more)\n"},
		{"blobstore delete k.txt", "deleted k.txt\n", 0, ""},
		{"blobstore delete k.txt", "", 1, "storm: no blob k.txt; `blobstore list` shows those that are there\n"},
		{"blobstore cat k.txt -f never", "", 1, "storm: no blob k.txt; `blobstore list` shows those that are there\n"},
		{"blobstore replication --read k.txt", "", 1, "storm: no blob k.txt; `blobstore list` shows those that are there\n"},
	} {
		got := command(t, append([]string{"storm"}, strings.Fields(c.args)...)...)
		got.stdout = version.ReplaceAllString(got.stdout, " V [")
		if want := (outcome{c.code, c.stdout, c.stderr}); got != want {
			t.Errorf("%s\ngave %+v\nwant %+v", c.args, got, want)
		}
	}
	if b, err := os.ReadFile("got"); err != nil || string(b) != strings.Repeat("0123456789", 20_000) {
		t.Errorf("cat -f wrote %d bytes, %v", len(b), err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 3 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

func TestBlobListPages(t *testing.T) {
	bare(t)
	state := mem.New()
	defer state.Close()
	t.Setenv(seeds.Env, startMaster(t, state).Addr())
	write(t, "file", "x")
	for i := range 103 { // a page of Nimbus has 100
		if got := command(t, "gearstorm", "blobstore", "create", fmt.Sprintf("k%03d", i), "-f", "file"); got.code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	var rows []map[string]any
	readJSON(t, &rows, "gearstorm", "blobstore", "list", "-o", "json")
	if len(rows) != 103 || rows[102]["key"] != "k102" {
		t.Errorf("%d rows, the last is %v", len(rows), rows[len(rows)-1])
	}
}

func TestParseACL(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "[]",
		"u:alice:rwa":         "[u:alice:rwa]",
		"o::r,u:bob:rw":       "[o::r--, u:bob:rw-]",
		"rw":                  "[o::rw-]",
		"bob:a":               "[u:bob:--a]",
		"other::r--":          "[o::r--]",
		"user:carol:-w-,o::-": "[u:carol:-w-, o::---]",
	} {
		acl, err := parseACL(text)
		if err != nil || aclText(acl) != want {
			t.Errorf("%q is %s, %v; want %s", text, aclText(acl), err, want)
		}
	}
	for _, text := range []string{"u:bob:x", "q:bob:r", "u:a:b:r"} {
		if acl, err := parseACL(text); err == nil {
			t.Errorf("%q was taken as %s", text, aclText(acl))
		}
	}
	name := "n"
	if got := aclText([]*stormrpc.AccessControl{{Type: stormrpc.AccessControlType_USER, Name: &name, Access: 7}, {Type: stormrpc.AccessControlType_OTHER}}); got != "[u:n:rwa, o::---]" {
		t.Error(got)
	}
}
