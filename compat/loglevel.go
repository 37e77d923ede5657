package compat

import (
	"log/slog"
	"strings"
)

// LogLevelNames are the levels that LogLevel knows, for messages.
const LogLevelNames = "ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL and OFF"

// LogLevel gives the least level of a line that a logger of this level writes. Names are log4j's, in any case; it says false
// for others. The level of trace lines is that of a multilang child's.
func LogLevel(name string) (slog.Level, bool) {
	switch strings.ToUpper(name) {
	case "ALL":
		return slog.Level(-1 << 20), true
	case "TRACE":
		return slog.LevelDebug - 4, true
	case "DEBUG":
		return slog.LevelDebug, true
	case "INFO":
		return slog.LevelInfo, true
	case "WARN":
		return slog.LevelWarn, true
	case "ERROR":
		return slog.LevelError, true
	case "FATAL":
		return slog.LevelError + 4, true
	case "OFF":
		return slog.Level(1 << 20), true
	}
	return 0, false
}
