package drpc

import (
	"net/url"
	"testing"
)

// A path gives function and arguments that make the same path again, or nothing.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/drpc/f/x", "/drpc/f", "/drpc/f/", "/drpc//x", "/drpc/a%2Fb/c%20d//e", "/", "/drpc/%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		function, args, withArgs, ok := splitPath(u)
		if !ok {
			return
		}
		again := "/drpc/" + url.PathEscape(function)
		if withArgs {
			again += "/" + url.PathEscape(args)
		}
		v, err := url.ParseRequestURI(again)
		if err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		f2, a2, w2, ok2 := splitPath(v)
		if f2 != function || a2 != args || w2 != withArgs || !ok2 {
			t.Errorf("%q gave %q, %q, %v, but %q gave %q, %q, %v, %v", path, function, args, withArgs, again, f2, a2, w2, ok2)
		}
	})
}
