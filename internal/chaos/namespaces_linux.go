package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// linkPrefix starts the names of all links that this package makes; a mark follows.
const linkPrefix = "gsc"

// namespaces is a network of namespaces around one bridge, which has an address in this process's namespace.
type namespaces struct {
	mark   string
	subnet [2]byte
	bridge *netlink.Bridge

	mu    sync.Mutex
	sites []*nsSite
}

// Namespaces makes a network in which every site is a network namespace, linked by a pair of virtual Ethernet devices to a
// bridge here. mark, at most 8 letters, is in the names of its links. It needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
func Namespaces(mark string) (Network, error) {
	if mark == "" || len(mark) > 8 {
		return nil, fmt.Errorf("mark %q of a network: want 1 to 8 letters", mark)
	}
	n := &namespaces{mark: mark, subnet: [2]byte{byte(64 + rand.IntN(64)), byte(rand.IntN(256))}}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = linkPrefix + mark
	n.bridge = &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(n.bridge); err != nil {
		return nil, fmt.Errorf("make a bridge: %w", err)
	}
	// 100.64.0.0/10 is for networks inside a provider's, so it is hardly used where tests run.
	if err := errors.Join(addAddr(netlink.AddrAdd, n.bridge, n.ip(1)), netlink.LinkSetUp(n.bridge)); err != nil {
		n.Close()
		return nil, fmt.Errorf("set up the bridge: %w", err)
	}
	return n, nil
}

func (n *namespaces) ip(host byte) net.IP { return net.IPv4(100, n.subnet[0], n.subnet[1], host) }

func addAddr(add func(netlink.Link, *netlink.Addr) error, l netlink.Link, ip net.IP) error {
	return add(l, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(24, 32)}})
}

func (n *namespaces) Outside() string { return n.ip(1).String() }

func (n *namespaces) Attach() (Site, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.sites) >= 250 {
		return nil, errors.New("a network has at most 250 sites")
	}
	s := &nsSite{ip: n.ip(byte(len(n.sites) + 2))}
	if err := s.make(fmt.Sprintf("%s%s%d", linkPrefix, n.mark, len(n.sites)), n.bridge); err != nil {
		s.close()
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	n.sites = append(n.sites, s)
	return s, nil
}

func (n *namespaces) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sites {
		s.close()
	}
	n.sites = nil
	return removeLinks(linkPrefix + n.mark)
}

// removeLinks removes the links here whose names start with prefix; their ends elsewhere go with them.
func removeLinks(prefix string) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, prefix) {
			if err := netlink.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

type nsSite struct {
	ip   net.IP
	ns   netns.NsHandle
	in   *netlink.Handle // inside the namespace
	out  netlink.Link    // the end of the link that is here
	dev  netlink.Link    // the end in the namespace
	mac  net.HardwareAddr
	dead []net.IP // whose packets go nowhere
}

func (s *nsSite) make(name string, bridge netlink.Link) error {
	s.ns = netns.None()
	if err := inNamespace(func() (err error) { s.ns, err = netns.New(); return err }); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = name, bridge.Attrs().Index
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(s.ns)}
	err := netlink.LinkAdd(pair)
	if err != nil {
		return err
	}
	s.out = pair
	if s.in, err = netlink.NewHandleAt(s.ns); err != nil {
		return err
	}
	lo, err := s.in.LinkByName("lo")
	if err != nil {
		return err
	}
	if s.dev, err = s.in.LinkByName("eth0"); err != nil {
		return err
	}
	s.mac = s.dev.Attrs().HardwareAddr
	return errors.Join(s.in.LinkSetUp(lo), addAddr(s.in.AddrAdd, s.dev, s.ip), s.in.LinkSetUp(s.dev), netlink.LinkSetUp(s.out))
}

// inNamespace calls do on a thread that is thrown away afterwards, since do changes its namespace.
func inNamespace(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

func (s *nsSite) close() {
	if s.in != nil {
		s.in.Close()
	}
	if s.ns.IsOpen() {
		s.ns.Close()
	}
}

func (s *nsSite) Addr() string { return s.ip.String() }

func (s *nsSite) enter() error {
	// /sys shows the network of whoever mounted it; daemons do not look there, so none is mounted anew.
	return netns.Set(s.ns)
}

// Cut takes the end of the link that is here down: packets vanish, nobody is told.
func (s *nsSite) Cut() error { return netlink.LinkSetDown(s.out) }

// CutTo has packets to the other site sent to an Ethernet address that nobody has.
func (s *nsSite) CutTo(other Site) error {
	o, ok := other.(*nsSite)
	if !ok {
		return ErrUncut
	}
	if err := s.neighbour(o.ip, net.HardwareAddr{0x02, 0xde, 0xad, 0, 0, 1}); err != nil {
		return fmt.Errorf("cut %v to %v: %w", s.ip, o.ip, err)
	}
	if !slices.ContainsFunc(s.dead, o.ip.Equal) {
		s.dead = append(s.dead, o.ip)
	}
	return nil
}

func (s *nsSite) neighbour(ip net.IP, mac net.HardwareAddr) error {
	return s.in.NeighSet(&netlink.Neigh{LinkIndex: s.dev.Attrs().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT, IP: ip, HardwareAddr: mac})
}

func (s *nsSite) Heal() error {
	var errs []error
	for _, ip := range s.dead {
		errs = append(errs, s.in.NeighDel(&netlink.Neigh{LinkIndex: s.dev.Attrs().Index, Family: netlink.FAMILY_V4, IP: ip}))
	}
	s.dead = nil
	return errors.Join(append(errs, netlink.LinkSetUp(s.out))...)
}

// CanCut says whether this process may make Namespaces, and if not, why: it makes one and removes it.
func CanCut() error {
	if os.Geteuid() != 0 {
		return ErrUncut
	}
	n, err := Namespaces(fmt.Sprintf("%08x", rand.Uint32()))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUncut, err)
	}
	_, err = n.Attach()
	if err = errors.Join(err, n.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrUncut, err)
	}
	return nil
}
