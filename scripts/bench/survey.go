package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/pause"
)

// settle is how long the daemons are left alone before their memory is read.
const settle = 2 * time.Second

// survey measures gearstorm by itself.
type survey struct {
	runner
	only  *regexp.Regexp
	sides map[string]system
	dev   *ours
	out   io.Writer
}

// extra are the scenarios that nothing is compared with.
func extra() []scenario {
	line, rates := shape{Kind: kindLine, Bytes: payloadBytes}, []figure{rate}
	tracked := line
	tracked.Acked = true
	python := shape{Kind: kindScript, Bytes: payloadBytes, Acked: true, Script: "identity.py"}
	return []scenario{
		{name: "in-process-noack", shape: line, conf: unacked(1), variants: []variant{{}}, figures: rates, alone: true},
		{name: "in-process-ack", shape: tracked, conf: acked(1, linePending), variants: []variant{{}}, figures: rates, alone: true},
		{name: "python-shell", shape: python, conf: acked(1, shellPending), variants: []variant{{}}, figures: rates, alone: true},
		{name: "submit-to-first-tuple-shell", shape: python, conf: acked(1, shellPending), variants: []variant{{}}, figures: []figure{took}, firstOnly: true},
	}
}

func (s *survey) all(ctx context.Context, tools string) error {
	if s.only.MatchString("daemons-rss") {
		if err := s.resident(ctx); err != nil {
			return fmt.Errorf("daemons-rss: %w", err)
		}
	}
	list := append(extra(), scenarios(tools)...)
	for i := range list {
		if err := s.scenario(ctx, &list[i]); err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
	}
	return nil
}

func (s *survey) scenario(ctx context.Context, sc *scenario) error {
	if sc.java {
		return nil // there is no jar
	}
	for _, v := range sc.variants {
		wanted := slices.ContainsFunc(sc.figures, func(f figure) bool { return s.only.MatchString(sc.row(v, f)) })
		if !wanted {
			continue
		}
		if sc.needs != "" {
			if _, err := os.Stat(sc.needs); err != nil {
				fmt.Fprintf(s.out, "# %s is left out, run scripts/get-multilang-clients.sh first: %v\n", sc.name, err)
				return nil
			}
		}
		if err := s.variant(ctx, sc, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) variant(ctx context.Context, sc *scenario, v variant) error {
	sys := s.sides[sideOurs]
	if sc.alone {
		sys = s.sides[sideAlone]
	}
	runs := 1
	if sc.firstOnly {
		runs = s.pace.windows
	}
	var all []sample
	for range runs {
		got, err := s.run(ctx, sys, sideOurs, sc, v)
		if err != nil {
			return err
		}
		all = append(all, got)
	}
	got := all[len(all)-1]
	for _, f := range sc.figures {
		value := medianOf(all, f.of)
		switch {
		case f.unit == rate.unit:
			fmt.Fprintf(s.out, "bench %s %.0f allocs/tuple=%.3f\n", sc.row(v, f), value, got.Allocs)
			fmt.Fprintf(s.out, "# %s rounds=%.0f cpu_ns/tuple=%.0f cores=%.2f others=%.2f processes=%q\n", sc.row(v, f), got.Rates, got.CPU, got.Cores, got.Others, got.Places)
		case sc.firstOnly:
			fmt.Fprintf(s.out, "bench %s %.3f\n# %s of which until Nimbus had taken it=%.3f\n", sc.row(v, f), value,
				sc.row(v, f), medianOf(all, func(s *sample) float64 { return s.Taken }))
		default:
			fmt.Fprintf(s.out, "bench %s %s\n", sc.row(v, f), f.format(value))
		}
	}
	if got.Wrong != "" {
		return errors.New(got.Wrong)
	}
	return nil
}

// resident prints the memory of the daemons without and with a topology of two workers.
func (s *survey) resident(ctx context.Context) error {
	for _, name := range []string{"daemons-rss", "daemons-rss-running"} {
		if err := pause.For(ctx, settle); err != nil {
			return err
		}
		mib, err := residentMiB(s.dev.parent.pid())
		if err != nil {
			return errors.Join(err, s.dev.kill(ctx))
		}
		fmt.Fprintf(s.out, "bench %s %.1f\n", name, mib)
		sh := shape{Kind: kindLine, Rate: 1000, Acked: true, Bytes: payloadBytes, Listener: s.probes.address()}
		if err := s.dev.submit(ctx, name, sh, conf.Conf{"topology.workers": 2}); err != nil {
			return err
		}
		if err := s.running(ctx, sh); err != nil {
			return errors.Join(err, s.dev.kill(ctx))
		}
	}
	err := s.dev.kill(ctx)
	s.probes.forget()
	return err
}
