package supervisor

import (
	"errors"
	"os"
	"syscall"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// reserveBytes is room on the disk that is kept for plans: on a disk that a topology has filled, the plan that takes the
// topology away has to find place.
const reserveBytes = 1 << 20

// keepPlan writes the plan, into the reserve if the disk is full otherwise.
func (d *disk) keepPlan(p *stormrpc.NodePlan) error {
	err := d.writePlan(p)
	if isFull(err) && os.Remove(d.path("reserve")) == nil {
		err = d.writePlan(p)
	}
	if err == nil {
		d.reserve()
	}
	return err
}

// reserve sets the room aside unless it is. Without it a full disk may refuse plans, which is told then.
func (d *disk) reserve() {
	if st, err := os.Stat(d.path("reserve")); err == nil && st.Size() == reserveBytes {
		return
	}
	if d.write("reserve", make([]byte, reserveBytes)) != nil {
		os.Remove(d.path("reserve"))
	}
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
