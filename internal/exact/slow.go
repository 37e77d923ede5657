package exact

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const slowFile = "slow"

// lookEvery is how often counters look whether they are to be slow.
const lookEvery = 100 * time.Millisecond

// Slow has every counter take that long for a record; 0 ends it.
func (t Topology) Slow(each time.Duration) error {
	path := filepath.Join(t.Dir, slowFile)
	if each == 0 {
		return os.Remove(path)
	}
	return os.WriteFile(path, []byte(strconv.FormatInt(int64(each), 10)), 0o600)
}

// brake makes a task as slow as the file says.
type brake struct {
	path   string
	looked time.Time
	each   time.Duration
}

// press is called for each record.
func (b *brake) press() {
	if now := time.Now(); now.Sub(b.looked) >= lookEvery {
		b.looked, b.each = now, b.read()
	}
	time.Sleep(b.each)
}

func (b *brake) read() time.Duration {
	text, err := os.ReadFile(b.path)
	if err != nil {
		return 0 // there is none
	}
	nanos, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return b.each // it is being written
	}
	return time.Duration(nanos)
}
