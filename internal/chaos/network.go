package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
)

// Network gives every daemon an address of its own.
type Network interface {
	// Attach makes the next site.
	Attach() (Site, error)
	// Outside is the address at which sites reach this process.
	Outside() string
	// Close takes the network down; nothing in it may run any more.
	Close() error
}

// Site is where a daemon and its workers run.
type Site interface {
	Addr() string
	// enter moves the calling thread, and what it starts from then on, to the site.
	enter() error
	// Cut drops everything from and to the site, silently. CutTo drops what it sends to another one. Heal undoes both.
	Cut() error
	CutTo(other Site) error
	Heal() error
}

// ErrUncut is what a site says that cannot be cut off.
var ErrUncut = errors.New("links can be cut only between network namespaces, which need root on Linux")

// loopback is a network of addresses 127.x.y.z.
type loopback struct {
	prefix string
	n      int
}

// Loopback needs no privilege; its sites cannot be cut off.
func Loopback() Network {
	return &loopback{prefix: fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))}
}

func (l *loopback) Attach() (Site, error) {
	if l.n++; l.n > 250 {
		return nil, errors.New("a network has at most 250 sites")
	}
	return loopbackSite(fmt.Sprint(l.prefix, l.n+1)), nil
}

func (l *loopback) Outside() string { return l.prefix + "1" }
func (l *loopback) Close() error    { return nil }

type loopbackSite string

func (s loopbackSite) Addr() string       { return string(s) }
func (s loopbackSite) enter() error       { return nil }
func (s loopbackSite) Cut() error         { return ErrUncut }
func (s loopbackSite) CutTo(_ Site) error { return ErrUncut }
func (s loopbackSite) Heal() error        { return nil }

// process is a program of a cluster that this process started. It is killed with this process, however that ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it is reaped
	err  error         // how it ended; read it after done
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}
