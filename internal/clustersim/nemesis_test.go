package clustersim

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// faultPhase is how long faults may last.
const faultPhase = 22 * time.Second

// fault is something that happens at a time and is undone later.
type fault struct {
	kind  string
	name  string // says more, where there is more to say
	at    time.Duration
	lasts time.Duration // 0: drawn
	do    func()
	undo  func() // may be nil
}

func (f fault) String() string {
	if f.name == "" {
		return f.kind
	}
	return f.kind + " " + f.name
}

// draw makes the faults of a seed.
func (w *world) draw() (faults []fault) {
	r := rand.New(rand.NewPCG(w.seed, 4))
	kinds := slices.Concat(masterFaults, blinks)
	switch {
	case w.swift:
		kinds = slices.Concat(swiftFaults, swiftFaults, kinds)
	case !w.gentle:
		kinds = slices.Concat(swiftFaults, nodeFaults, kinds, pathFaults, wishes)
	}
	for range 1 + r.IntN(7) {
		f := kinds[r.IntN(len(kinds))](w, r)
		f.at = time.Duration(r.Int64N(int64(faultPhase * 3 / 4)))
		lasts := time.Duration(r.Int64N(int64(faultPhase-f.at))) + 20*time.Millisecond
		if r.IntN(3) == 0 {
			lasts = lasts/10 + time.Millisecond
		}
		if f.lasts == 0 {
			f.lasts = lasts
		}
		faults = append(faults, f)
	}
	return faults
}

// faults lets everything happen that was drawn.
func (w *world) faults() {
	type moment struct {
		at   time.Duration
		text string
		do   func()
	}
	var plan []moment
	for _, f := range w.draw() {
		w.journal.count(func(t *totals) { t.Faults[f.kind]++ })
		plan = append(plan, moment{f.at, f.String(), f.do})
		if f.undo != nil {
			plan = append(plan, moment{f.at + f.lasts, "end of " + f.String(), f.undo})
		}
	}
	slices.SortStableFunc(plan, func(a, b moment) int { return int(a.at - b.at) })
	began := time.Now()
	for _, m := range plan {
		time.Sleep(time.Until(began.Add(m.at)))
		w.journal.say("FAULT: %s", m.text)
		m.do()
	}
	time.Sleep(time.Until(began.Add(faultPhase)))
}

type maker func(w *world, r *rand.Rand) fault

// masterFaults hit Nimbus and its store. Half of them look for whoever leads at that time.
var masterFaults = []maker{
	func(w *world, r *rand.Rand) fault { // killed, started again later
		m := w.someMaster(r)
		return fault{kind: "kill a nimbus", do: func() { m().kill() }, undo: w.healMasters}
	},
	func(w *world, r *rand.Rand) fault { // stopped as by SIGSTOP
		m := w.someMaster(r)
		return fault{kind: "freeze a nimbus", do: func() { m().freeze() }, undo: w.healMasters}
	},
	func(w *world, r *rand.Rand) fault {
		m := w.someMaster(r)
		return fault{kind: "cut a nimbus from the store", do: func() { m().cutStore() }, undo: w.healMasters}
	},
	func(w *world, r *rand.Rand) fault {
		m := w.someMaster(r)
		return fault{kind: "end the session of a nimbus", do: func() { m().loseSession() }}
	},
	func(w *world, r *rand.Rand) fault { // nobody is heard, but the store
		m := w.someMaster(r)
		return w.partition("cut a nimbus from all", "", func() []netip.Addr { return []netip.Addr{m().host} }, w.allHosts(), r.IntN(3))
	},
}

// blinks hit supervisors for a shorter time than anybody waits for them.
var blinks = []maker{
	func(w *world, r *rand.Rand) fault {
		n := w.nodes[r.IntN(nodes)]
		return fault{kind: "restart supervisor", name: n.name(), do: n.kill, undo: n.heal, lasts: time.Duration(1+r.IntN(2000)) * time.Millisecond}
	},
}

// pathFaults put a master out of reach for some hosts, both ways or one.
var pathFaults = []maker{
	func(w *world, r *rand.Rand) fault {
		m, hosts, way := w.someMaster(r), w.someHosts(r), r.IntN(3)
		return w.partition("cut a nimbus from hosts", "", func() []netip.Addr { return []netip.Addr{m().host} }, hosts, way)
	},
}

// swiftFaults kill workers and break connections; who lives can be reached.
var swiftFaults = []maker{
	func(w *world, r *rand.Rand) fault {
		n, k := w.nodes[r.IntN(nodes)], r.IntN(2)
		return fault{kind: "kill a worker", name: "of " + n.name(), do: func() { n.killWorker(k) }}
	},
	func(w *world, r *rand.Rand) fault {
		a, b := nodeHost(r.IntN(nodes)), nodeHost(r.IntN(nodes))
		return fault{kind: "reset connections between two nodes", do: func() { w.net.Reset(a, b) }}
	},
	func(w *world, r *rand.Rand) fault { // connections that last long enough to be made
		stop := make(chan struct{})
		every := time.Duration(400+r.IntN(600)) * time.Millisecond
		return fault{kind: "flaky network", do: func() { w.group.Go(func() { w.shake(every, stop) }) }, undo: func() { close(stop) }}
	},
}

// nodeFaults hit supervisors, workers and what is between them.
var nodeFaults = []maker{
	func(w *world, r *rand.Rand) fault {
		n, k := w.nodes[r.IntN(nodes)], r.IntN(2)
		return fault{kind: "freeze a worker", name: "of " + n.name(), do: func() { n.freezeWorker(k) }, undo: n.thawWorkers}
	},
	func(w *world, r *rand.Rand) fault {
		n := w.nodes[r.IntN(nodes)]
		return fault{kind: "kill supervisor", name: n.name(), do: n.kill, undo: n.heal}
	},
	func(w *world, r *rand.Rand) fault {
		n := w.nodes[r.IntN(nodes)]
		return fault{kind: "freeze supervisor", name: n.name(), do: n.freeze, undo: n.heal}
	},
	func(w *world, r *rand.Rand) fault {
		n := w.nodes[r.IntN(nodes)]
		return fault{kind: "kill all", name: "of " + n.name(), do: n.crash, undo: n.heal}
	},
	func(w *world, r *rand.Rand) fault {
		a, b := r.IntN(nodes), r.IntN(nodes-1)
		if b >= a {
			b++
		}
		one := func() []netip.Addr { return []netip.Addr{nodeHost(a)} }
		return w.partition("cut two nodes", w.nodes[a].name()+" "+w.nodes[b].name(), one, []netip.Addr{nodeHost(b)}, r.IntN(3))
	},
	func(w *world, r *rand.Rand) fault { // a node that only itself can reach
		a := r.IntN(nodes)
		return w.partition("isolate a node", w.nodes[a].name(), func() []netip.Addr { return []netip.Addr{nodeHost(a)} }, w.allHosts(), r.IntN(3))
	},
}

// wishes are what users do meanwhile.
var wishes = []maker{
	func(w *world, r *rand.Rand) fault {
		workers, name, executors := int32(1+r.IntN(4)), w.shape.bolts[r.IntN(len(w.shape.bolts))].name, int32(1+r.IntN(2))
		return fault{kind: "rebalance", do: func() {
			w.group.Go(func() {
				w.call("rebalance", func(ctx context.Context, c *client.Client) error {
					wait := int32(1)
					o := &stormrpc.RebalanceOptions{WaitSecs: &wait, NumWorkers: &workers}
					if w.exact == nil { // each of its tasks has an executor of its own
						o.NumExecutors = map[string]int32{name: executors}
					}
					return c.Nimbus().Rebalance(ctx, topologyName, o)
				})
			})
		}}
	},
	func(w *world, _ *rand.Rand) fault {
		return fault{kind: "deactivate", do: func() {
			w.group.Go(func() {
				w.call("deactivate", func(ctx context.Context, c *client.Client) error { return c.Nimbus().Deactivate(ctx, topologyName) })
			})
		}, undo: func() {
			w.group.Go(func() {
				w.call("activate", func(ctx context.Context, c *client.Client) error { return c.Nimbus().Activate(ctx, topologyName) })
			})
		}}
	},
}

// shake resets all connections between nodes again and again.
func (w *world) shake(every time.Duration, stop chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for a := range nodes {
			for b := range a {
				w.net.Reset(nodeHost(a), nodeHost(b))
			}
		}
	}
}

// partition cuts some hosts from others: both ways (0), or one (1, 2).
func (w *world) partition(kind, name string, from func() []netip.Addr, to []netip.Addr, way int) fault {
	var undo []func()
	cut := func(a, b netip.Addr) {
		w.net.Cut(a, b)
		undo = append(undo, func() { w.net.Heal(a, b) })
	}
	return fault{
		kind: kind, name: name + [...]string{"", " (what is sent)", " (what is got)"}[way],
		do: func() {
			for _, a := range from() {
				for _, b := range to {
					if way != 2 {
						cut(a, b)
					}
					if way != 1 {
						cut(b, a)
					}
				}
			}
		},
		undo: func() {
			for _, f := range undo {
				f()
			}
		},
	}
}

// someMaster draws a master; half of the time it is the one that leads when the fault happens.
func (w *world) someMaster(r *rand.Rand) func() *master {
	m, leader := w.masters[r.IntN(masters)], r.IntN(2) == 0
	return func() *master {
		for _, other := range w.masters {
			if leader && other.leads() {
				return other
			}
		}
		return m
	}
}

func (w *world) allHosts() (hosts []netip.Addr) {
	for i := range nodes {
		hosts = append(hosts, nodeHost(i))
	}
	for i := range masters {
		hosts = append(hosts, masterHost(i))
	}
	return hosts
}

func (w *world) someHosts(r *rand.Rand) []netip.Addr {
	return slices.DeleteFunc(w.allHosts(), func(netip.Addr) bool { return r.IntN(3) == 0 })
}

func (w *world) healMasters() {
	for _, m := range w.masters {
		m.heal()
	}
}
