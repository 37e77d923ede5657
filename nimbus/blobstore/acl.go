package blobstore

import (
	"fmt"
	"slices"
	"strings"
)

// Access is a set of rights on a blob; the numbers are Storm's.
type Access int32

// The rights on a blob.
const (
	Read  Access = 1
	Write Access = 2
	Admin Access = 4
	All          = Read | Write | Admin
)

// Entry gives rights to a user, or to everybody when Other is set.
type Entry struct {
	Other  bool   `json:"other,omitempty"`
	User   string `json:"user,omitempty"`
	Access Access `json:"access"`
}

// ACL is a blob's access list. The order does not matter to its meaning.
type ACL []Entry

// CheckACL refuses a list that names a user twice. The text is Storm's (BlobStoreAclHandler.java).
func CheckACL(key string, acl ACL) error {
	seen := make(map[string]bool)
	var twice []string
	for _, e := range acl {
		if e.User != "" && seen[e.User] {
			twice = append(twice, e.User)
		}
		seen[e.User] = true
	}
	if len(twice) > 0 {
		return fmt.Errorf("user [%s] can't appear more than once in the ACLs for key [%s].", strings.Join(twice, ", "), key) //nolint:staticcheck // Storm's text
	}
	return nil
}

// NormalizeACL is what is stored when user (empty: nobody known) creates a blob with acl: the creator gets the rights
// in own, entries without a user name mean the creator, and a blob of nobody is open to everybody. acl is not changed.
func NormalizeACL(acl ACL, user string, own Access) ACL {
	var out ACL
	named := slices.ContainsFunc(acl, func(e Entry) bool { return !e.Other && e.User == user && user != "" })
	open, mine := false, false
	for _, e := range acl {
		switch {
		case e.Other && e.Access == 0:
			continue
		case e.Other:
			open = open || e.Access == All
		case user == "" && e.User == "":
			continue
		case e.User == "" && named:
			continue
		case e.User == "" || e.User == user:
			e.User, e.Access, mine = user, e.Access|own, true
		}
		out = append(out, e)
	}
	if user != "" && !mine {
		out = append(out, Entry{User: user, Access: own})
	}
	if user == "" && !open {
		out = append(out, Entry{Other: true, Access: All})
	}
	return out
}

// Missing returns the rights in want that acl does not give to user.
func (acl ACL) Missing(user string, want Access) Access {
	for _, e := range acl {
		if e.Other || (user != "" && e.User == user) {
			want &^= e.Access
		}
	}
	return want
}

// Any tells whether acl gives user at least one of these rights.
func (acl ACL) Any(user string, of Access) bool { return acl.Missing(user, of) != of }

// String names the rights as Storm's error texts do, for example "[READ WRITE ]".
func (a Access) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for _, r := range []struct {
		bit  Access
		name string
	}{{Read, "READ "}, {Write, "WRITE "}, {Admin, "ADMIN "}} {
		if a&r.bit != 0 {
			b.WriteString(r.name)
		}
	}
	b.WriteByte(']')
	return b.String()
}
