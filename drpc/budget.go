package drpc

import (
	"errors"
	"io"
	"sync/atomic"
)

// budget is an amount of bytes that all requests share.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take reserves n bytes; it returns false, and reserves nothing, when they are not there.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }

var errNoBudget = errors.New("too many bytes wait")

// metered reads from r and takes what it read from the budget; given gives it back.
type metered struct {
	r      io.Reader
	budget *budget
	taken  int
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if !m.budget.take(n) {
		return 0, errNoBudget
	}
	m.taken += n
	return n, err
}

func (m *metered) given() { m.budget.give(m.taken) }
