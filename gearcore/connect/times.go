package connect

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// MaxAhead is how far in the future a record may be for a source whose options do not say otherwise.
const MaxAhead = 24 * time.Hour

// TooFar reports whether at, in milliseconds since 1970, is a time that event time does not follow, since all other records would be late then: one
// that is more than ahead after now, or after the year 9999. A negative ahead is no bound but that year.
func TooFar(at int64, now time.Time, ahead time.Duration) bool {
	return at > gearcore.MaxTime || ahead >= 0 && at > now.Add(ahead).UnixMilli()
}

// ErrTooFar returns what a source reports of such a record, the n-th one.
func ErrTooFar(at, n int64) error {
	return fmt.Errorf("its time, %d ms after 1970, is too far in the future (MaxAhead): event time does not follow it; there were %d such records", at, n)
}

// Rarely says whether something that happens often is worth a word: the first time, and then once a minute. The zero Rarely is
// ready for use.
type Rarely struct{ last time.Time }

// Now reports whether it is, and if so counts as told.
func (r *Rarely) Now(now time.Time) bool {
	if !r.last.IsZero() && now.Sub(r.last) < time.Minute {
		return false
	}
	r.last = now
	return true
}
