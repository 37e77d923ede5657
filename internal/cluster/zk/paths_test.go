package zk

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

func TestPaths(t *testing.T) {
	p, err := newPaths("/a/b/")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"leader":                "/a/b/gearstorm/top/leader",
		"topologies/my%20topo":  "/a/b/gearstorm/sub/topologies/my%20topo",
		"errors/id/a b":         "/a/b/gearstorm/sub/errors/id^2Fa b",
		".":                     "/a/b/gearstorm/top/^2E",
		"../..":                 "/a/b/gearstorm/sub/^2E^2E/^2E^2E",
		"é^":                    "/a/b/gearstorm/top/^C3^A9^5E",
		"a/\xff":                "/a/b/gearstorm/sub/a/^FF",
		"a/\u0085\uf000\ufff0z": "/a/b/gearstorm/sub/a/^C2^85^EF^80^80^EF^BF^B0z",
	} {
		if got, _ := p.key(key); got != want {
			t.Errorf("node of %q: %s, want %s", key, got, want)
		}
	}
	want := []string{"/a", "/a/b", "/a/b/gearstorm", "/a/b/gearstorm/candidates", "/a/b/gearstorm/top", "/a/b/gearstorm/sub"}
	if diff := cmp.Diff(want, p.layout()); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
	if p, err = newPaths("/"); err != nil || p.root != "/gearstorm" {
		t.Errorf("root / gives %s, %v", p.root, err)
	}
	for _, name := range []string{"^", "^4", "^GG", "^41", "a/b", "^2f"} {
		if text, ours := unescape(name); ours {
			t.Errorf("%s was read as %q", name, text)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", ".", "..", "...", "a/b", "^", "é", "\x00\xff", "%2F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := escape(text)
		if strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
			t.Fatalf("%q became %q", text, name)
		}
		if back, ours := unescape(name); !ours || back != text {
			t.Fatalf("%q became %q became %q", text, name, back)
		}
		if back, ours := unescape(text); ours && escape(back) != text {
			t.Fatalf("%q was taken for the name of %q", text, back)
		}
	})
}

func TestFate(t *testing.T) {
	h := &head{Epoch: 1}
	for e := cluster.Epoch(2); e <= 30; e++ {
		h = h.after(int64(e)*10).next("", "")
	}
	h = h.after(7)
	if h.Epoch != 30 || len(h.Past) != pastTerms || h.Past[0] != (pastTerm{29, 300}) {
		t.Fatalf("head %+v", h)
	}
	for _, c := range []struct {
		epoch  cluster.Epoch
		number int64
		want   fate
	}{
		{30, 7, applied}, {30, 8, pending}, {29, 300, applied}, {29, 301, never}, {14, 150, applied}, {14, 151, never},
		{13, 140, forgotten}, {31, 1, forgotten},
	} {
		if got := h.fate(c.epoch, c.number); got != c.want {
			t.Errorf("transaction %d of epoch %d: fate %d, want %d", c.number, c.epoch, got, c.want)
		}
	}
}
