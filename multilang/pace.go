package multilang

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	restBacklog = 64                     // tuples that a child has before it: more than it does while the reader rests
	restWithin  = 300 * time.Microsecond // between two messages of a busy child
	restFor     = 1 * time.Microsecond   // the kernel makes it 50 or 60, less than 16 emits take (ahead)
)

// pace lets the reader of a busy child rest between two reads. Most clients write every message by itself, and each would
// wake the reader, the executor and the writer; after a rest there are several to handle at once, and the child's writes
// are cheaper because nobody has to be woken. It rests only while the child has enough to do and does not wait for an
// answer, so it delays nobody but messages of a child that is behind anyway.
type pace struct{ at time.Time }

func (p *pace) rest(s *session) {
	was := p.at
	p.at = time.Now()
	if s.waits.Swap(false) || s.backlog.Load() < restBacklog || p.at.Sub(was) > restWithin {
		return
	}
	t := unix.NsecToTimeval(int64(restFor))
	_, _ = unix.Select(0, nil, nil, nil, &t) // time.Sleep would take a millisecond
}
