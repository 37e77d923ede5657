package invocations

import "testing"

// What is read as return-info is what is written for it.
func FuzzReturnInfo(f *testing.F) {
	for _, s := range []string{`{"id":"1","host":"h","port":3773}`, `{"port":3773,"id":"12","host":"::1"}`, "{}", "", `{"id":1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReturnInfo(text)
		if err != nil {
			return
		}
		if again, err := parseReturnInfo(r.text()); err != nil || again != r {
			t.Errorf("%q was read as %+v, then as %+v, %v", text, r, again, err)
		}
	})
}
