package jvmhost

import (
	"strings"
	"testing"
)

// What a main class's process printed says why it ended; only where it says nothing, System.exit is the guess.
func TestWhyAMainClassEnded(t *testing.T) {
	for _, c := range []struct {
		printed string
		status  int
		want    string
	}{
		{"loading\n", 3, ", as it does when user code calls System.exit"},
		{"Exception in thread \"main\" java.lang.IllegalStateException: no\n", 1, ""},
		{"Error: Could not find or load main class A\n", 1, ""},
		{"Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n", 1, ", for want of memory (see -Xmx)"},
		{"Unrecognized option: -Xx\nError: Could not create the Java Virtual Machine.\n", 1, ", because an option of it is wrong"},
		{"", -1, ", so somebody else ended it"},
	} {
		p := &passed{}
		if _, err := strings.NewReader(c.printed).WriteTo(p); err != nil {
			t.Fatal(err)
		}
		if got := p.why(c.status); got != c.want {
			t.Errorf("printed %q, status %d: %q, want %q", c.printed, c.status, got, c.want)
		}
	}
}
