package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// cost runs a keyed count with a checkpoint each second and without any, in turns; which one is first changes with each round.
func (x *exactly) cost(ctx context.Context) error {
	sc := scenario{name: "exactly-once", shape: shape{Kind: kindCounted, Tasks: 2}, conf: unacked(1)}
	sides := []variant{{suffix: "-off"}, {suffix: "-on", conf: conf.Conf{keyInterval: 1000}}}
	var ratios, cpus []float64
	var wrong []string
	all := map[string][]sample{}
	checkpoints := int64(0)
	for range x.o.rounds {
		pair := map[string]sample{}
		for _, v := range sides {
			s, err := x.run(ctx, x.our, sideOurs, &sc, v)
			if err != nil {
				return err
			}
			if s.Wrong != "" {
				wrong = append(wrong, sc.name+v.suffix+": "+s.Wrong)
			}
			pair[v.suffix] = s
			all[v.suffix] = append(all[v.suffix], s)
		}
		slices.Reverse(sides)
		on, off := pair["-on"], pair["-off"]
		if on.Commits < int64(x.o.window.Seconds()/2) || off.Commits > 0 {
			wrong = append(wrong, fmt.Sprintf("%d checkpoints in %v with them, %d without", on.Commits, x.o.window, off.Commits))
		}
		checkpoints += on.Commits
		ratios, cpus = append(ratios, on.Rate/off.Rate), append(cpus, off.CPU/on.CPU)
		fmt.Fprintf(x.out, "# exactly-once-cost round: off=%.0f/s on=%.0f/s ratio=%.3f cpu_ns=%.0f/%.0f others=%.2f/%.2f checkpoints=%d\n",
			off.Rate, on.Rate, on.Rate/off.Rate, off.CPU, on.CPU, off.Others, on.Others, on.Commits)
	}
	ratio := median(ratios)
	x.print(fmt.Sprintf("bench exactly-once-cost off=%.0f/s on=%.0f/s ratio=%.3f cpu_ratio=%.3f checkpoints=%d goal=%v",
		medianOf(all["-off"], rate.of), medianOf(all["-on"], rate.of), ratio, median(cpus), checkpoints, costGoal), ratio >= costGoal, wrong)
	return nil
}
