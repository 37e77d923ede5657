package main

import (
	"fmt"
	"strings"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// rights are the letters of an access list, in Storm's order.
var rights = []struct {
	letter byte
	right  blobstore.Access
}{{'r', blobstore.Read}, {'w', blobstore.Write}, {'a', blobstore.Admin}}

// parseACL reads entries u:NAME:rwa and o::rwa, joined by commas; NAME:rwa is a user's, rwa alone everybody's
// (BlobStoreAclHandler.java).
func parseACL(text string) ([]*stormrpc.AccessControl, error) {
	out := []*stormrpc.AccessControl{}
	if text == "" {
		return out, nil
	}
	for entry := range strings.SplitSeq(text, ",") {
		e, err := parseAccess(entry)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func parseAccess(entry string) (*stormrpc.AccessControl, error) {
	kind, name, letters := "o", "", entry
	switch parts := strings.Split(strings.TrimSpace(entry), ":"); len(parts) {
	case 1:
	case 2:
		kind, name, letters = "u", parts[0], parts[1]
	case 3:
		kind, name, letters = parts[0], parts[1], parts[2]
	default:
		return nil, fmt.Errorf("access %q: want u:NAME:rwa or o::rwa", entry)
	}
	out := &stormrpc.AccessControl{Type: stormrpc.AccessControlType_USER, Name: &name}
	switch kind {
	case "o", "other":
		out.Type = stormrpc.AccessControlType_OTHER
	case "u", "user":
	default:
		return nil, fmt.Errorf("access %q: %q is neither u (a user) nor o (the others)", entry, kind)
	}
letter:
	for _, l := range []byte(strings.TrimSpace(letters)) {
		for _, r := range rights {
			if l == r.letter {
				out.Access |= int32(r.right)
				continue letter
			}
		}
		if l != '-' {
			return nil, fmt.Errorf("access %q: the rights are r, w and a", entry)
		}
	}
	return out, nil
}

// aclText writes a list as Storm does: [o::rwa, u:bob:rw-].
func aclText(acl []*stormrpc.AccessControl) string {
	return "[" + strings.Join(aclEntries(acl), ", ") + "]"
}

func aclEntries(acl []*stormrpc.AccessControl) []string {
	out := []string{}
	for _, e := range acl {
		kind, letters := "u", []byte("---")
		if e.Type == stormrpc.AccessControlType_OTHER {
			kind = "o"
		}
		for i, r := range rights {
			if e.Access&int32(r.right) != 0 {
				letters[i] = r.letter
			}
		}
		out = append(out, kind+":"+e.GetName()+":"+string(letters))
	}
	return out
}
