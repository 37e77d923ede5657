//go:build !linux

package chaos

// Inside is the path at which this process finds storm.local.dir of the daemon.
func (n *Node) Inside() string { return n.Local }

func detach(string) error { return nil }
