package drpc

import (
	"errors"
	"io"

	"github.com/gearstorm/gearstorm/internal/budget"
)

var errNoBudget = errors.New("too many bytes wait")

// metered reads from r and takes what it read from the budget; given gives it back.
type metered struct {
	r      io.Reader
	budget *budget.Bytes
	taken  int
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if !m.budget.Take(n) {
		return 0, errNoBudget
	}
	m.taken += n
	return n, err
}

func (m *metered) given() { m.budget.Give(m.taken) }
