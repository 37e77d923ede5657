package blobstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalizeACL(t *testing.T) {
	for name, c := range map[string]struct {
		in   ACL
		user string
		want ACL
	}{
		"creator gets all":              {nil, "bob", ACL{{User: "bob", Access: All}}},
		"nobody opens it":               {nil, "", ACL{{Other: true, Access: All}}},
		"dependency upload by nobody":   {ACL{{Access: All}, {Other: true, Access: Read}}, "", ACL{{Other: true, Access: Read}, {Other: true, Access: All}}},
		"already open":                  {ACL{{Other: true, Access: All}}, "", ACL{{Other: true, Access: All}}},
		"empty name is the creator":     {ACL{{Access: Read}, {Other: true, Access: Read}}, "bob", ACL{{User: "bob", Access: All}, {Other: true, Access: Read}}},
		"creator's own entry is raised": {ACL{{User: "bob", Access: Read}, {Access: Read}}, "bob", ACL{{User: "bob", Access: All}}},
		"others keep theirs":            {ACL{{User: "eve", Access: Write}}, "bob", ACL{{User: "eve", Access: Write}, {User: "bob", Access: All}}},
		"empty other entry goes":        {ACL{{Other: true}}, "bob", ACL{{User: "bob", Access: All}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, NormalizeACL(c.in, c.user, All)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestACLRights(t *testing.T) {
	acl := ACL{{User: "bob", Access: Read | Write}, {Other: true, Access: Admin}, {Access: All}}
	if got := acl.Missing("bob", All); got != 0 {
		t.Errorf("bob lacks %v, want nothing: rights add up", got)
	}
	if got := acl.Missing("eve", All); got != Read|Write || got.String() != "[READ WRITE ]" {
		t.Errorf("eve lacks %v, want [READ WRITE ]", got)
	}
	if got := acl.Missing("", Read); got != Read {
		t.Errorf("nobody lacks %v, want READ: an entry without a name is nobody's", got)
	}
	if !acl.Any("eve", All) || acl.Any("eve", Read) {
		t.Error("eve should have something of all and nothing of READ")
	}
}

func TestCheckACL(t *testing.T) {
	if err := CheckACL("k", ACL{{User: "a"}, {User: "b"}, {Other: true}, {Other: true}}); err != nil {
		t.Error(err)
	}
	err := CheckACL("k", ACL{{User: "a"}, {User: "a"}})
	if want := "user [a] can't appear more than once in the ACLs for key [k]."; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
