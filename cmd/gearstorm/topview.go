package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// topView makes the lines of frames; rates are against the frame before.
type topView struct {
	name string // of the one topology; empty: all

	last   map[string]work // by topology id and component
	lastAt time.Time
}

// work is what a component, or all of a topology, has done since it started.
type work struct{ executed, emitted, acked, failed int64 }

func (w *work) add(c componentInfo) {
	w.executed += c.Executed
	w.emitted += c.Emitted
	w.acked += c.Acked
	w.failed += c.Failed
}

// perSecond is how fast w grew from before. Counters begin anew with a worker; then the rate is that since then.
func (w work) perSecond(before work, secs float64) [4]float64 {
	rate := func(now, then int64) float64 {
		if now < then {
			then = 0
		}
		return float64(now-then) / secs
	}
	return [4]float64{rate(w.executed, before.executed), rate(w.emitted, before.emitted), rate(w.acked, before.acked), rate(w.failed, before.failed)}
}

// lines is the frame of a sample.
func (v *topView) lines(s topSample) []string {
	secs := s.at.Sub(v.lastAt).Seconds()
	done := map[string]work{}
	rates := func(key string, w work) [4]float64 {
		done[key] = w
		before, known := v.last[key]
		if !known || secs <= 0 {
			return [4]float64{}
		}
		return w.perSecond(before, secs)
	}
	var out []string
	if v.name == "" {
		out = clusterLines(s, rates)
	} else {
		out = topologyLines(s.topologies[0], rates)
	}
	v.last, v.lastAt = done, s.at
	return out
}

// rater remembers what was done and gives the rates of executed, emitted, acked and failed.
type rater func(key string, w work) [4]float64

// clusterLines has a row a topology.
func clusterLines(s topSample, rates rater) []string {
	slots, used := int32(0), int32(0)
	for _, n := range s.supervisors {
		slots, used = slots+n.NumWorkers, used+n.NumUsedWorkers
	}
	head := fmt.Sprintf("%s  %d topologies, %d nodes, %d of %d slots used", s.at.Format(time.TimeOnly), len(s.topologies)+s.more, len(s.supervisors), used, slots)
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "TOPOLOGY\tSTATUS\tWORKERS\tEXECUTORS\tUP\tEXECUTED/s\tEMITTED/s\tFAILED/s\t")
	for i, t := range s.topologies {
		var all work
		for _, c := range t.Components {
			if !strings.HasPrefix(c.Name, "__") {
				all.add(c)
			}
		}
		r, sum := rates(t.ID, all), s.summaries[i]
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%s\t%.0f\t%.0f\t%.0f\t\n", t.Name, t.Status, sum.NumWorkers, sum.NumExecutors,
			time.Duration(t.Uptime)*time.Second, r[0], r[1], r[3])
	}
	tw.Flush()
	out := append([]string{head}, tableLines(b.String())...)
	if s.more > 0 {
		out = append(out, fmt.Sprintf("and %d more", s.more))
	}
	return out
}

// topologyLines has a row a component.
func topologyLines(t topologyInfo, rates rater) []string {
	head := fmt.Sprintf("%s  %s  up %s  %s", t.Name, t.Status, time.Duration(t.Uptime)*time.Second, t.ID)
	if t.Scheduled != "" && t.Scheduled != fullyScheduled {
		head += "  " + t.Scheduled
	}
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "COMPONENT\tTASKS\tEXECUTED/s\tEMITTED/s\tACKED/s\tFAILED/s\tLATENCY ms\tP50\tP99\tQUEUE P99\t")
	var held []string
	for _, c := range t.Components {
		if c.Tasks == 0 || strings.HasPrefix(c.Name, "__") {
			continue
		}
		var w work
		w.add(c)
		r := rates(t.ID+"\x00"+c.Name, w)
		fmt.Fprintf(tw, "%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", c.Name, c.Tasks, r[0], r[1], r[2], r[3], c.LatencyMs, c.P50Ms, c.P99Ms, c.QueueP99Ms)
		held = append(held, throttleLines(c.Name, c.ThrottledBy)...)
	}
	tw.Flush()
	return slices.Concat([]string{head}, timingLines(t.Timing), tableLines(b.String()), held)
}

func tableLines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }
