package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Policy says what becomes of something that should not be.
type Policy string

// The policies; each option says which it takes.
const (
	// Fail reports a named error and does not go on.
	Fail Policy = "fail"
	// Skip leaves the record out and counts it; of a file that is gone, it goes on without.
	Skip Policy = "skip"
	// Restart reads a file from its beginning.
	Restart Policy = "restart"
	// Remove deletes output that is going to be made again.
	Remove Policy = "remove"
)

// Record is what a source read. Data is valid only until Emit returns.
type Record struct {
	File   string
	Offset int64 // of the record's first byte in the file, framing included
	Data   []byte
}

// SourceOptions says what to read. Zero fields mean the defaults.
type SourceOptions struct {
	// Paths are files or patterns of path/filepath.Match. Required. A pattern may match nothing yet; a plain name has to exist
	// until it was read to its end, unless Follow is set.
	Paths []string
	// Follow goes on with what is appended to files and looks for new ones, for ever. Default: every file is read to the end that
	// it has then, and the source ends (watermark gearcore.End).
	Follow bool
	// Poll is how often followed files are looked at once all is read. Default 200 ms.
	Poll time.Duration
	// ForgetAfter is how long a followed file has to be gone, while others of its pattern are there, until the source forgets how far it was read: one
	// of its name that comes later is read from its beginning, one that comes back before that is read on. Default 24 hours.
	ForgetAfter time.Duration
	// Framing of the files. Default Lines. A last line without an end counts when the file is not followed.
	Framing Framing
	// MaxRecord bounds a record in bytes. Default 1 MiB.
	MaxRecord int
	// TooLong is Fail, the default, or Skip (lines only: after a length that cannot be true there is no next frame).
	TooLong Policy
	// Truncated says what to do about a file that is shorter than what was read of it, or that is another one than that (its first KiB, as far as
	// it was read, is): Fail, the default, or Restart.
	Truncated Policy
	// Batch is how many records one call of Next emits at most. Default 64.
	Batch int
	// Emit sends a record on. Default: one field, the record as a string.
	Emit func(c *gearcore.Collector, r Record)
	// Time returns a record's event time in milliseconds since 1970. Default: the source has no event time. A task that has no file is left out; one
	// whose files give nothing keeps the others' event time back.
	Time func(data []byte) int64
	// Lateness is how much older than the newest record before it a record may be without being late. Default 0.
	Lateness time.Duration
	// MaxAhead is how far in the future, by the machine's clock, a record may be that event time follows, since all others would be late then. One
	// beyond it is emitted and counted, and an error of the component (at most one a minute). Default 24 hours; negative: no bound but the year 9999.
	MaxAhead time.Duration
}

// withDefaults returns o with its zero fields set.
func (o SourceOptions) withDefaults() SourceOptions {
	if o.Poll == 0 {
		o.Poll = 200 * time.Millisecond
	}
	if o.ForgetAfter == 0 {
		o.ForgetAfter = 24 * time.Hour
	}
	if o.MaxAhead == 0 {
		o.MaxAhead = connect.MaxAhead
	}
	if o.Framing == "" {
		o.Framing = Lines
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = 1 << 20
	}
	if o.TooLong == "" {
		o.TooLong = Fail
	}
	if o.Truncated == "" {
		o.Truncated = Fail
	}
	if o.Batch == 0 {
		o.Batch = 64
	}
	if o.Emit == nil {
		o.Emit = func(c *gearcore.Collector, r Record) { c.Emit(c.String(r.Data)) }
	}
	return o
}

// Validate returns what is wrong with o, all of it.
func (o SourceOptions) Validate() error {
	o = o.withDefaults()
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("file source: "+format, args...))
		}
	}
	refuse(len(o.Paths) == 0, "Paths is empty")
	for _, p := range o.Paths {
		_, err := filepath.Match(p, "")
		refuse(p == "" || err != nil, "path %q is neither a file nor a pattern", p)
	}
	refuse(o.Poll < time.Millisecond, "Poll %v is shorter than 1ms", o.Poll)
	refuse(o.ForgetAfter < 0, "ForgetAfter %v is negative", o.ForgetAfter)
	refuse(!o.Framing.known(), "Framing %q: lines and frames are known", o.Framing)
	refuse(o.MaxRecord < 1 || o.MaxRecord > 1<<30, "MaxRecord %d is not between 1 and 1 GiB", o.MaxRecord)
	refuse(o.TooLong != Fail && o.TooLong != Skip, "TooLong %q: fail and skip are known", o.TooLong)
	refuse(o.TooLong == Skip && o.Framing == Frames, "TooLong skip is for lines: after a frame of a wrong length nothing is known")
	refuse(o.Truncated != Fail && o.Truncated != Restart, "Truncated %q: fail and restart are known", o.Truncated)
	refuse(o.Batch < 1 || o.Batch > 1<<16, "Batch %d is not between 1 and 65536", o.Batch)
	refuse(o.Lateness < 0, "Lateness %v is negative", o.Lateness)
	return errors.Join(errs...)
}
