package blobstore

import (
	"errors"
	"log/slog"
	"time"
)

// Config says where blobs are kept and how much of them. Only Dir must be set.
type Config struct {
	// Dir holds everything; it is made if missing. Nothing else may use it.
	Dir string
	// MaxBlobBytes bounds one blob and one uploaded jar. Default 2 GiB.
	MaxBlobBytes int64
	// MaxBlobs bounds the number of blobs. Default 100,000.
	MaxBlobs int
	// MaxSessions bounds uploads and downloads that are open at a time, and finished uploads. Default 1,024.
	MaxSessions int
	// Idle ends a session that nobody used for so long. Default 10 minutes.
	Idle time.Duration
	// Keep is how long a finished upload waits to be submitted. Default 1 hour.
	Keep time.Duration
	// KeepAside is how long damaged blobs, and those that nobody knows, stay on disk. Default 24 hours.
	KeepAside time.Duration
	// Log takes what was set aside. Default slog.Default().
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.MaxBlobBytes == 0 {
		c.MaxBlobBytes = 2 << 30
	}
	if c.MaxBlobs == 0 {
		c.MaxBlobs = 100_000
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 1024
	}
	if c.Idle == 0 {
		c.Idle = 10 * time.Minute
	}
	if c.Keep == 0 {
		c.Keep = time.Hour
	}
	if c.KeepAside == 0 {
		c.KeepAside = 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("blob store: Dir is empty, it must name a directory")
	case c.MaxBlobBytes < 0, c.MaxBlobs < 0, c.MaxSessions < 0, c.Idle < 0, c.Keep < 0, c.KeepAside < 0:
		return errors.New("blob store: a limit is negative, it must be above 0 (0 takes the default)")
	}
	return nil
}
