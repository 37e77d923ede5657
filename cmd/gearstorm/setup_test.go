package main

import (
	"strings"
	"testing"
)

// TestSetupWantsALanguage: there is one, and what is missing for it is said.
func TestSetupWantsALanguage(t *testing.T) {
	bare(t)
	for _, args := range [][]string{{"setup"}, {"setup", "perl"}, {"setup", "java", "now"}} {
		got := command(t, append([]string{"gearstorm"}, args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, "setup takes one argument: java") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	got := command(t, "gearstorm", "setup", "java", "-c", "gearstorm.java.dir="+t.TempDir())
	if got.code != 1 || !strings.Contains(got.stderr, "JDK of 17 or later") {
		t.Errorf("without Java: %+v", got)
	}
}
