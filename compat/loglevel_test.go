package compat

import (
	"log/slog"
	"testing"
)

func TestLogLevel(t *testing.T) {
	last := slog.Level(-1 << 30)
	for _, name := range []string{"ALL", "trace", "Debug", "INFO", "WARN", "ERROR", "FATAL", "OFF"} {
		level, ok := LogLevel(name)
		if !ok || level <= last {
			t.Errorf("%s is %d, %v, after %d", name, level, ok, last)
		}
		last = level
	}
	for _, name := range []string{"", "WARNING", "INFO "} {
		if _, ok := LogLevel(name); ok {
			t.Errorf("%q is a level", name)
		}
	}
}
