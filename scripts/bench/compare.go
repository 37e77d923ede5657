package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// comparison runs scenarios on both sides in turns.
type comparison struct {
	runner
	goals  goals
	rounds int
	want   map[string]bool // rows
	out    io.Writer       // lines
	raw    *json.Encoder   // samples
	sides  map[string]system
	rows   map[string]result
	failed bool // a run gave no figures, or figures that cannot be trusted, or a goal for processor time was missed
}

// all measures the scenarios of which a row matches only. It goes on after a run that went wrong.
func (c *comparison) all(ctx context.Context, list []scenario, only *regexp.Regexp) error {
	if c.want = selected(list, c.goals, only); len(c.want) == 0 {
		return fmt.Errorf("no figure matches %q", only)
	}
	for i := range list {
		if err := c.scenario(ctx, &list[i]); err != nil {
			return err
		}
	}
	if c.failed {
		return errMissed
	}
	return nil
}

// selected are the rows that match only, and those that their goals refer to.
func selected(all []scenario, g goals, only *regexp.Regexp) map[string]bool {
	want := map[string]bool{}
	for i := range all {
		for _, row := range all[i].rows() {
			if !only.MatchString(row) {
				continue
			}
			want[row] = true
			for _, goal := range g[row] {
				if goal.row != "" {
					want[goal.row] = true
				}
			}
		}
	}
	return want
}

func (sc *scenario) rows() (rows []string) {
	for _, v := range sc.variants {
		for _, f := range sc.figures {
			rows = append(rows, sc.row(v, f))
		}
	}
	return rows
}

// chosen are the variants of sc of which a row is wanted.
func (c *comparison) chosen(sc *scenario) (out []variant) {
	for _, v := range sc.variants {
		if slices.ContainsFunc(sc.figures, func(f figure) bool { return c.want[sc.row(v, f)] }) {
			out = append(out, v)
		}
	}
	return out
}

// scenario measures sc and prints its rows. An error is one that ends everything.
func (c *comparison) scenario(ctx context.Context, sc *scenario) error {
	variants := c.chosen(sc)
	if len(variants) == 0 {
		return nil
	}
	if sc.needs != "" {
		if _, err := os.Stat(sc.needs); err != nil {
			c.failed = true
			fmt.Fprintf(c.out, "# %s is left out: %v\n", sc.name, err)
			return nil
		}
	}
	samples := map[string][]sample{} // by variant; Storm's by "storm"
	for round := range c.rounds {
		if c.sides[sideStorm] != nil && sc.storm != nil {
			if err := c.once(ctx, c.sides[sideStorm], sideStorm, sc, variant{}, round, samples); err != nil {
				return err
			}
		}
		ours := c.sides[sideOurs]
		if sc.alone {
			ours = c.sides[sideAlone]
		} else if sc.java {
			ours = c.sides[sideJar]
		}
		for _, v := range variants {
			if err := c.once(ctx, ours, sideOurs, sc, v, round, samples); err != nil {
				return err
			}
		}
	}
	for _, v := range variants {
		for _, f := range sc.figures {
			c.print(c.result(sc, v, f, samples))
		}
	}
	return nil
}

// once makes one run. A run that fails is noted and leaves no sample.
func (c *comparison) once(ctx context.Context, sys system, side string, sc *scenario, v variant, round int, samples map[string][]sample) error {
	s, err := c.run(ctx, sys, side, sc, v)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.Round = round + 1
	key := side + v.suffix
	if err != nil {
		c.failed = true
		s.Wrong = err.Error()
		fmt.Fprintf(c.out, "# %s%s on %s, round %d: %s\n", sc.name, v.suffix, side, s.Round, strings.ReplaceAll(err.Error(), "\n", "\n#   "))
	} else {
		if s.Wrong != "" {
			fmt.Fprintf(c.out, "# %s%s on %s, round %d: %s\n", sc.name, v.suffix, side, s.Round, s.Wrong)
		}
		samples[key] = append(samples[key], s)
	}
	if err := c.raw.Encode(&s); err != nil {
		return fmt.Errorf("keep a raw result: %w", err)
	}
	return nil
}

// result is the row of one figure: medians over the rounds.
func (c *comparison) result(sc *scenario, v variant, f figure, samples map[string][]sample) result {
	ours, storm := samples[sideOurs+v.suffix], samples[sideStorm]
	r := result{row: sc.row(v, f), figure: f, ours: medianOf(ours, f.of), storm: medianOf(storm, f.of), hasStorm: len(storm) > 0}
	r.cpu = medianOf(ours, func(s *sample) float64 { return s.CPU })
	r.stormCPU = medianOf(storm, func(s *sample) float64 { return s.CPU })
	for _, s := range slices.Concat(ours, storm) {
		if s.Wrong != "" {
			r.wrong = s.Wrong
		}
	}
	if len(ours) == 0 {
		r.wrong = "no run of it gave a figure"
	}
	return r
}

func medianOf(samples []sample, of func(*sample) float64) float64 {
	var v []float64
	for i := range samples {
		v = append(v, of(&samples[i]))
	}
	return median(v)
}

func (c *comparison) print(r result) {
	c.rows[r.row] = r
	if !c.want[r.row] {
		return
	}
	line, gated := c.goals.verdict(r, c.rows)
	c.failed = c.failed || !gated
	fmt.Fprintln(c.out, line)
}

// errMissed ends the command with 1 after everything was said.
var errMissed = errors.New("a run went wrong or took more processor time than its goal")
