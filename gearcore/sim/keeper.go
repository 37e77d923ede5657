package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// Checkpoints gives a World a coordinator, which has a place of its own, and a store.
type Checkpoints struct {
	Store checkpoint.Store
	// Vault, if not nil, stands between tasks and the store.
	Vault  func(epoch uint64) gearcore.Vault
	Config checkpoint.Config
	// AlignLimit and WatermarkEvery are the engines'.
	AlignLimit, WatermarkEvery time.Duration
	// Lossy is about how many orders and reports apart one is lost. 0: none is.
	Lossy int
	// MaxJob is the longest that writing or reading the state of a task waits, and an access of the coordinator to the
	// store. Default MaxDelay.
	MaxJob time.Duration
}

// topologyID is that of the only topology of a World.
const topologyID = "sim-1"

// repeatEvery is how often orders and reports are sent without news.
const repeatEvery = 50 * time.Millisecond

// keeper is the coordinator's side. A nil coordinator is down.
type keeper struct {
	w           *World
	cfg         Checkpoints
	coordinator *checkpoint.Coordinator
	log         *checkpoint.Log
	life        uint64
	letters     []letter
	notices     []checkpoint.Notice
}

// letter is something that happens at a time, in any order with others that are due.
type letter struct {
	at time.Duration
	f  func()
}

// start starts a coordinator.
func (k *keeper) start() error {
	var err error
	if k.coordinator, err = checkpoint.NewCoordinator(k.cfg.Config); err != nil {
		return err
	}
	if k.log, err = checkpoint.OpenLog(checkpoint.LogConfig{Store: k.cfg.Store, Topology: topologyID, Now: func() time.Time { return time.Unix(0, 0).Add(k.w.now) }}); err != nil {
		return err
	}
	k.life++
	k.step(k.planned())
	return nil
}

// CrashKeeper puts another coordinator in the place of the present one. What that asked of the store may still happen.
func (w *World) CrashKeeper() error { return w.keeper.start() }

// Notices returns what coordinators had to tell.
func (w *World) Notices() []checkpoint.Notice { return w.keeper.notices }

// planned is the plan as coordinators know it.
func (k *keeper) planned() checkpoint.Plan {
	return checkpoint.PlanOf(k.w.plan.dag, int64(k.w.plan.version))
}

// step tells the coordinator what happened and does what it wants.
func (k *keeper) step(e checkpoint.Event) {
	if k.coordinator == nil {
		return
	}
	for _, a := range k.coordinator.Step(k.w.now, e) {
		switch a := a.(type) {
		case checkpoint.Send:
			k.order()
		case checkpoint.Notice:
			k.notices = append(k.notices, a)
		case checkpoint.Stop:
			k.coordinator = nil
			k.after(k.w.delay(), func() { // perhaps by one that is gone
				if k.coordinator != nil {
					return
				}
				if err := k.start(); err != nil {
					panic(err) // it was started before
				}
			})
			return
		default:
			k.store(a)
		}
	}
}

// store has a done somewhat later, and the answer told later still.
func (k *keeper) store(a checkpoint.Action) {
	life, log := k.life, k.log
	k.after(k.w.upTo(k.cfg.MaxJob), func() {
		e, ok := log.Do(context.Background(), a)
		if !ok {
			panic(fmt.Sprintf("the coordinator wants %T", a))
		}
		k.after(k.w.delay(), func() {
			if k.life == life {
				k.step(e)
			}
		})
	})
}

// order sends the order to all workers.
func (k *keeper) order() {
	if k.coordinator == nil {
		return
	}
	o := k.coordinator.Order()
	for _, n := range k.w.nodes {
		k.send(func() {
			if n.driver != nil {
				n.driver.Obey(o)
			}
		})
	}
}

// news is told by the engine of n that it has something to report.
func (k *keeper) news(n *node, life uint64) {
	if n.reports {
		return
	}
	n.reports = true
	k.after(0, func() {
		if n.life == life && n.driver != nil {
			n.reports = false
			k.report(n)
		}
	})
}

// report sends the report of n to the coordinator. One that is overtaken by a later one is not heard, as with notes between workers.
func (k *keeper) report(n *node) {
	r := n.driver.Report()
	r.Worker, r.Life = fmt.Sprint(n.id), n.life
	n.told++
	number := n.told
	k.send(func() {
		if number > n.heard {
			n.heard = number
			k.step(r)
		}
	})
}

// send has a message arrive, unless it is lost.
func (k *keeper) send(arrive func()) {
	if k.cfg.Lossy > 0 && k.w.rnd.IntN(k.cfg.Lossy) == 0 {
		return
	}
	k.after(k.w.delay(), arrive)
}

// again sends orders and reports from time to time.
func (k *keeper) again() {
	k.step(checkpoint.Tick{})
	k.order()
	for _, n := range k.w.nodes {
		if n.driver != nil {
			k.report(n)
		}
	}
	k.after(repeatEvery, k.again)
}

func (k *keeper) after(d time.Duration, f func()) {
	k.letters = append(k.letters, letter{k.w.now + d, f})
}

// due returns how many letters are.
func (k *keeper) due() (n int) {
	for _, l := range k.letters {
		if l.at <= k.w.now {
			n++
		}
	}
	return n
}

// open opens the pick-th letter that is due.
func (k *keeper) open(pick int) {
	for i, l := range k.letters {
		if l.at > k.w.now {
			continue
		}
		if pick > 0 {
			pick--
			continue
		}
		k.letters = append(k.letters[:i], k.letters[i+1:]...)
		l.f()
		return
	}
}

// timing is what the engine of n is told.
func (k *keeper) timing(n *node) *engine.Timing {
	life := n.life
	t := &engine.Timing{
		Checkpoints: true, AlignLimit: k.cfg.AlignLimit, WatermarkEvery: k.cfg.WatermarkEvery,
		Vault: k.cfg.Vault, Changed: func() { k.news(n, life) },
		Parts: func(epoch uint64, component string) ([]gearcore.TaskPart, error) {
			m, err := checkpoint.ReadManifest(context.Background(), k.cfg.Store, topologyID, epoch)
			if err != nil {
				return nil, err
			}
			c := m.Component(component)
			if c == nil {
				return nil, nil // it has come since
			}
			return c.Parts, nil
		},
	}
	if t.Vault == nil {
		t.Vault = func(epoch uint64) gearcore.Vault { return checkpoint.NewVault(k.cfg.Store, topologyID, epoch) }
	}
	return t
}
