package schedule

import (
	"cmp"
	"slices"
)

// priorities puts the topologies into the order in which they are placed (Storm's DefaultSchedulingPriorityStrategy and
// FIFOSchedulingPriorityStrategy). A user's own come by priority, the oldest of equal ones first. Among the next ones of all
// users the one comes first whose user would be least beyond his guarantee with it.
func (b *Board) priorities() []*Job {
	waiting := make(map[string][]*Job)
	var users []string
	for _, j := range b.jobs {
		if j.Fixed {
			continue
		}
		if waiting[j.Owner] == nil {
			users = append(users, j.Owner)
		}
		waiting[j.Owner] = append(waiting[j.Owner], j)
	}
	slices.Sort(users)
	for _, u := range users {
		slices.SortStableFunc(waiting[u], byPriority)
	}
	available := b.sum(func(n *boardNode) []float64 { return n.total })
	taken := make(map[string]Guarantee, len(users))
	var out []*Job
	for len(users) > 0 {
		best := slices.MinFunc(users, func(x, y string) int {
			jx, jy := waiting[x][0], waiting[y][0]
			return cmp.Or(cmp.Compare(b.score(jx, taken[x], available), b.score(jy, taken[y], available)), byPriority(jx, jy))
		})
		j := waiting[best][0]
		t := b.withDemand(j, taken[best])
		available[cpu] -= t.CPU - taken[best].CPU
		available[memory] -= t.Memory - taken[best].Memory
		taken[best], out, waiting[best] = t, append(out, j), waiting[best][1:]
		if len(waiting[best]) == 0 {
			users = slices.DeleteFunc(users, func(u string) bool { return u == best })
		}
	}
	return out
}

func byPriority(x, y *Job) int {
	return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(y.Uptime, x.Uptime), cmp.Compare(x.ID, y.ID))
}

// withDemand adds all that j asks for to what its user has.
func (b *Board) withDemand(j *Job, g Guarantee) Guarantee {
	return Guarantee{CPU: g.CPU + j.asked[cpu], Memory: g.Memory + j.asked[memory]}
}

// score is how far a user who has taken is beyond his guarantee with j, as a share of what is there; FIFO takes the age instead.
func (b *Board) score(j *Job, taken Guarantee, available []float64) float64 {
	with, own := b.withDemand(j, taken), b.policy.Guarantees[j.Owner]
	share := func(beyond, available float64) float64 { return beyond / max(available, 1) }
	score := max(share(with.CPU-own.CPU, available[cpu]), share(with.Memory-own.Memory, available[memory]))
	if b.policy.FIFO && score >= 0 {
		return j.Uptime.Seconds()
	}
	return score
}
