package schedule

import (
	"cmp"
	"fmt"
	"slices"
)

// Isolated is Storm's isolation scheduler: the topologies that the policy names get machines of their own, the others share the
// rest as under Even. A topology for which there are too few machines stays where it is and says so; unlike in Storm, no other
// one is stopped over it.
func Isolated(b *Board) {
	m := b.machines()
	var rest []*Job
	for _, j := range b.jobs {
		if b.policy.Machines[j.Name] <= 0 || j.Fixed {
			rest = append(rest, j)
		}
	}
	for _, j := range b.jobs {
		if count := b.policy.Machines[j.Name]; count > 0 && !j.Fixed && !m.give([]*Job{j}, count) {
			j.status = fmt.Sprintf("Not enough machines: isolation.scheduler.machines gives it %d of its own, %d are left", count, m.left())
		}
	}
	m.share(rest)
}

// Tenants is Storm's multitenant scheduler: a user whom the policy names has at most so many machines, on which nobody else runs;
// a topology of his may have some of them for itself. All other topologies share the rest as under Even.
func Tenants(b *Board) {
	m := b.machines()
	var rest []*Job
	byUser := make(map[string][]*Job)
	var users []string
	for _, j := range b.jobs {
		if j.Fixed {
			continue
		}
		if b.policy.Tenants[j.Owner] <= 0 {
			rest = append(rest, j)
			continue
		}
		if byUser[j.Owner] == nil {
			users = append(users, j.Owner)
		}
		byUser[j.Owner] = append(byUser[j.Owner], j)
	}
	slices.Sort(users)
	for _, u := range users {
		b.tenant(m, byUser[u], b.policy.Tenants[u])
	}
	m.share(rest)
}

// tenant places the topologies of one user: those that want machines of their own, then all others together.
func (b *Board) tenant(m *machines, jobs []*Job, most int) {
	left := most
	var together []*Job
	workers := 0
	for _, j := range jobs {
		switch {
		case j.Machines <= 0:
			together = append(together, j)
			workers += j.Workers
		case j.Machines > left:
			j.status = fmt.Sprintf("Max Nodes(%d) for this user would be exceeded. %d more nodes needed to run topology.", most, j.Machines-left)
		case m.give([]*Job{j}, j.Machines):
			left -= j.Machines
		default:
			j.status = fmt.Sprintf("Not enough nodes available on the cluster to run topology. It wants %d of its own, %d are left", j.Machines, m.left())
		}
	}
	if len(together) == 0 {
		return
	}
	if count := min(left, m.enough(workers, together)); count == 0 || !m.give(together, count) {
		for _, j := range together {
			j.status = fmt.Sprintf("Max Nodes(%d) for this user would be exceeded. 1 more nodes needed to run topology.", most)
		}
	}
}

// machines are the hosts of a board and who has them for himself. While supervisors are unheard, as after a change of leaders, it
// is not known what is empty, and nobody has to give way.
type machines struct {
	b       *Board
	hosts   []host
	unheard bool
}

type host struct {
	name  string
	nodes []int
	slots int
	avoid bool
	ghost bool // of a node whose supervisor has not been heard yet
	taken bool // by somebody for himself
	held  bool // by somebody for whom there are too few; others may share it, but not have it
}

func (b *Board) machines() *machines {
	m := &machines{b: b, unheard: b.policy.Settling}
	at := make(map[string]int)
	for n := range b.nodes {
		node := &b.nodes[n]
		if len(node.slots) == 0 {
			continue
		}
		i, ok := at[node.host]
		if !ok {
			i = len(m.hosts)
			at[node.host] = i
			m.hosts = append(m.hosts, host{name: node.host})
		}
		h := &m.hosts[i]
		h.nodes = append(h.nodes, n)
		h.slots += len(node.slots)
		h.avoid, h.ghost = h.avoid || node.avoid, h.ghost || node.ghost
		m.unheard = m.unheard || node.ghost
	}
	return m
}

func (m *machines) left() int {
	n := 0
	for _, h := range m.hosts {
		if !h.taken && !h.ghost {
			n++
		}
	}
	return n
}

// enough is how many machines offer so many slots, in the order in which jobs would get them, and no fewer than they have. How
// many slots there are on one that has not been heard yet is not known; it counts as enough.
func (m *machines) enough(slots int, jobs []*Job) int {
	have, want := 0, 0
	for i, h := range m.order(jobs) {
		if own, _ := m.workers(m.hosts[h], jobs); own > 0 {
			have = i + 1
		}
		if slots > 0 {
			want = i + 1
		}
		if slots -= m.hosts[h].slots; m.hosts[h].ghost {
			slots = 0
		}
	}
	return max(have, want)
}

// order lists the machines that are left: first those on which jobs run alone, those where they run at all, empty ones, those
// to be avoided last, and of equal ones those with most slots. Where nobody was heard yet, nothing is given away.
func (m *machines) order(jobs []*Job) (out []int) {
	class := make([]int, len(m.hosts))
	for i, h := range m.hosts {
		own, others := m.workers(h, jobs)
		if h.taken || h.held || (own == 0 && (h.ghost || (others > 0 && m.unheard))) {
			continue
		}
		out = append(out, i)
		switch {
		case own > 0 && others == 0:
		case own > 0:
			class[i] = 1
		case h.avoid:
			class[i] = 4
		case others == 0:
			class[i] = 2
		default:
			class[i] = 3
		}
	}
	slices.SortStableFunc(out, func(x, y int) int {
		return cmp.Or(cmp.Compare(class[x], class[y]), cmp.Compare(m.hosts[y].slots, m.hosts[x].slots), cmp.Compare(m.hosts[x].name, m.hosts[y].name))
	})
	return out
}

// workers counts the workers on a host: those of jobs, and all others.
func (m *machines) workers(h host, jobs []*Job) (own, others int) {
	for _, n := range h.nodes {
		for _, s := range m.b.nodes[n].slots {
			at := m.b.slots[s].job
			switch {
			case at < 0:
			case slices.Contains(jobs, m.b.jobs[at]):
				own++
			default:
				others++
			}
		}
	}
	return own, others
}

// give sets count machines aside for jobs and places them there. If there are too few, they stay where they are.
func (m *machines) give(jobs []*Job, count int) bool {
	order := m.order(jobs)
	if len(order) < count {
		for _, i := range order {
			own, _ := m.workers(m.hosts[i], jobs)
			m.hosts[i].held = own > 0
		}
		return false
	}
	chosen := make(map[int]bool)
	for _, i := range order[:count] {
		m.hosts[i].taken = true
		for _, n := range m.hosts[i].nodes {
			chosen[n] = true
		}
	}
	for _, j := range m.b.jobs {
		if !slices.Contains(jobs, j) && !j.Fixed && !m.unheard {
			m.b.leave(j, func(n int) bool { return chosen[n] })
		}
	}
	m.within(jobs, func(n int) bool { return chosen[n] })
	return true
}

// share places jobs on the machines that nobody has for himself. Topologies that found no machines of their own stay there too.
func (m *machines) share(jobs []*Job) {
	taken := make(map[int]bool)
	for _, h := range m.hosts {
		for _, n := range h.nodes {
			taken[n] = h.taken
		}
	}
	m.within(jobs, func(n int) bool { return !taken[n] })
}

// within places jobs on nodes that are open to them.
func (m *machines) within(jobs []*Job, open func(int) bool) {
	for n := range m.b.nodes {
		m.b.nodes[n].closed = !open(n)
	}
	for _, j := range jobs {
		if !j.Fixed {
			if !m.unheard {
				m.b.leave(j, func(n int) bool { return m.b.nodes[n].closed })
			}
			m.b.even(j)
		}
	}
	for n := range m.b.nodes {
		m.b.nodes[n].closed = false
	}
}

// leave takes all executors of j out of the workers on some nodes.
func (b *Board) leave(j *Job, which func(node int) bool) {
	for _, s := range slices.Clone(j.used) {
		if which(b.slots[s].node) {
			b.empty(j, s)
		}
	}
}
