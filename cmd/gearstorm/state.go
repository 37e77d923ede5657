package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const stateHelp = `Each task looks into its own memory between two tuples, so what is shown is the state of this moment: newer than the last checkpoint, and what a failure
would undo is in it. Nothing waits for it but the task, for as long as it takes to read a key. A key is written as it is in the topology: a text or a number as it is (["7"] is the text),
a key of several fields as a JSON array. The tasks of a stateful bolt may each have the key; else the one has it that its records come to. Lists and maps are
shown up to 1000 entries, a value up to 128 KiB. Of windows the open panes are shown; a state of timers is searched only if it is named.

  gearstorm state list clicks
  gearstorm state list clicks count
  gearstorm state get clicks count user-17
  gearstorm state get clicks count user-17 --state total -o json | jq '.rows[0].value'
  gearstorm state get clicks sessions '["eu", 17]'

With -o json (or yaml) an object with topology, component, key, rows (task, state, kind, value, error) and silent, the tasks that did not answer in time. Without a
component: topology and components, such objects of those that have state, are silent, or cannot show what they have.`

func stateCommand() *cli.Command {
	return &cli.Command{
		Name: "state", Category: catCluster, Usage: "what the tasks of a component keep, while they run", Description: stateHelp,
		Subcommands: []*cli.Command{
			{
				Name: "get", Usage: "what there is for a key", ArgsUsage: "TOPOLOGY COMPONENT KEY", Description: stateHelp,
				Flags: []cli.Flag{&cli.StringFlag{Name: "state", Usage: "only in the state of this `NAME`"}, stateWaitFlag(), outputFlag()},
				Action: func(c *cli.Context) error {
					if c.NArg() != 3 {
						return usagef("state get takes the names of a topology and of a component, and a key, got %d arguments", c.NArg())
					}
					key := c.Args().Get(2)
					return showState(c, &key)
				},
			},
			{
				Name: "list", Usage: "the names and kinds of its states, or of those of all components", ArgsUsage: "TOPOLOGY [COMPONENT]", Description: stateHelp,
				Flags: []cli.Flag{stateWaitFlag(), outputFlag()},
				Action: func(c *cli.Context) error {
					switch c.NArg() {
					case 1:
						return showAllStates(c)
					case 2:
						return showState(c, nil)
					}
					return usagef("state list takes the name of a topology and perhaps that of a component, got %d arguments", c.NArg())
				},
			},
		},
		Action: noSubcommand,
	}
}

func stateWaitFlag() cli.Flag {
	return &cli.DurationFlag{Name: "w", Aliases: []string{"wait"}, Value: 5 * time.Second, Usage: "how `LONG` to wait for the tasks of a component, a minute at most"}
}

// stateRow and stateShown are what -o json shows.
type stateRow struct {
	Task  int32           `json:"task"`
	State string          `json:"state,omitempty"`
	Kind  string          `json:"kind,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

type stateShown struct {
	Topology  string     `json:"topology"`
	Component string     `json:"component"`
	Key       *string    `json:"key,omitempty"`
	Rows      []stateRow `json:"rows"`
	Silent    []int32    `json:"silent"`
}

// showState asks for a key, or for the names if it is nil.
func showState(c *cli.Context, key *string) error {
	asData, wait, err := stateOptions(c)
	if err != nil {
		return err
	}
	q := &stormrpc.StateQuery{Component: c.Args().Get(1), Key: key, WaitMs: int32(max(1, wait.Milliseconds()))}
	if name := c.String("state"); name != "" {
		q.State = &name
	}
	return withNimbus(c, func(n *session) error {
		a, err := n.Gearstorm().GetState(c.Context, c.Args().First(), q)
		if err != nil {
			return err
		}
		if a.Error != nil {
			return errors.New(*a.Error)
		}
		shown := stateOf(a)
		shown.Topology, shown.Component, shown.Key = c.Args().First(), q.Component, key
		switch {
		case asData:
			err = printData(c, shown)
		case key == nil:
			err = printStates(c.App.Writer, shown)
		default:
			err = printState(c.App.Writer, shown)
		}
		return errors.Join(err, shown.failure(wait))
	})
}

// stateOptions are what both forms take: whether data is wanted, and how long tasks are waited for.
func stateOptions(c *cli.Context) (asData bool, wait time.Duration, err error) {
	if asData, err = dataWanted(c); err != nil {
		return false, 0, err
	}
	if wait = c.Duration("w"); wait <= 0 || wait > time.Minute {
		return false, 0, usagef("-w %v: want more than 0 and at most a minute", wait)
	}
	return asData, wait, nil
}

// statesShown is what state list shows of a whole topology.
type statesShown struct {
	Topology   string       `json:"topology"`
	Components []stateShown `json:"components"`
}

// showAllStates asks the components for the names of their states.
func showAllStates(c *cli.Context) error {
	asData, wait, err := stateOptions(c)
	if err != nil {
		return err
	}
	return withNimbus(c, func(n *session) error {
		all := statesShown{Topology: c.Args().First(), Components: []stateShown{}}
		ti, err := n.rpc.GetTopologyInfoByName(c.Context, all.Topology)
		if err != nil {
			return err
		}
		var queries []*stormrpc.StateQuery
		for _, component := range summarize(ti).Components {
			if component.Tasks > 0 && !strings.HasPrefix(component.Name, "__") {
				queries = append(queries, &stormrpc.StateQuery{Component: component.Name, WaitMs: int32(max(1, wait.Milliseconds()))})
			}
		}
		answers, err := n.statesAtOnce(c.Context, all.Topology, queries)
		if err != nil {
			return err
		}
		for i, a := range answers {
			if shown := stateOf(a); a.Error == nil && !shown.none() {
				shown.Topology, shown.Component = all.Topology, queries[i].Component
				all.Components = append(all.Components, shown)
			}
		}
		if asData {
			err = printData(c, all)
		} else {
			err = printAllStates(c.App.Writer, all)
		}
		return errors.Join(err, all.failure(wait))
	})
}

// questionsAtOnce bounds the questions about state that one command asks at a time: Nimbus has 64 open at most.
const questionsAtOnce = 8

// statesAtOnce asks questions, several at a time, and returns the answers in the order of these. Each of them waits for tasks, and a connection
// takes one call after the other.
func (n *session) statesAtOnce(ctx context.Context, topology string, queries []*stormrpc.StateQuery) ([]*stormrpc.StateAnswer, error) {
	answers := make([]*stormrpc.StateAnswer, len(queries))
	var next atomic.Int64
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range min(questionsAtOnce, len(queries)) {
		nc, err := client.New(n.opts)
		if err != nil {
			return nil, err
		}
		defer nc.Close()
		asking.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(queries) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if answers[i], err = nc.Gearstorm().GetState(ctx, topology, queries[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	asking.Wait()
	return answers, context.Cause(ctx)
}

// none says whether there is nothing to be shown and nobody to be waited for.
func (s *stateShown) none() bool {
	return len(s.Silent) == 0 && !slices.ContainsFunc(s.Rows, func(r stateRow) bool { return r.Error != gearcore.ErrNoState.Error() })
}

// printAllStates writes a line for each state of each component, and one for each component that shows none.
func printAllStates(w io.Writer, all statesShown) error {
	if len(all.Components) == 0 {
		return fmt.Errorf("no component of %s keeps state that can be looked at", all.Topology)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "COMPONENT\tSTATE\tKIND\tTASKS")
	for _, s := range all.Components {
		for _, l := range statesOf(s) {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%d\n", s.Component, l.state, l.kind, l.tasks)
		}
		for _, r := range s.Rows {
			if r.State == "" && r.Error != "" {
				fmt.Fprintf(tw, "%s\t(task %d: %s)\n", s.Component, r.Task, r.Error)
			}
		}
		if len(s.Silent) > 0 {
			fmt.Fprintf(tw, "%s\t(%s did not answer)\n", s.Component, tasksNamed(s.Silent))
		}
	}
	return tw.Flush()
}

// stateOf leaves out the rows of tasks that have nothing.
func stateOf(a *stormrpc.StateAnswer) stateShown {
	s := stateShown{Rows: []stateRow{}, Silent: append([]int32{}, a.Silent...)}
	for _, r := range a.Rows {
		if r == nil || r.State == nil && r.Error == nil {
			continue
		}
		row := stateRow{Task: r.Task, State: r.GetState(), Kind: r.GetKind(), Error: r.GetError()}
		if text := r.GetJSON(); json.Valid([]byte(text)) {
			row.Value = json.RawMessage(text)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// failure says that nobody has answered, nil if somebody has.
func (s *statesShown) failure(wait time.Duration) error {
	var silent []int32
	for _, c := range s.Components {
		if len(c.Rows) > 0 {
			return nil
		}
		silent = append(silent, c.Silent...)
	}
	if len(silent) == 0 {
		return nil
	}
	return fmt.Errorf("no component of %s shows state: %s did not answer within %v: they are starting, restarting or busy", s.Topology, tasksNamed(silent), wait)
}

// tasksNamed names tasks.
func tasksNamed(tasks []int32) string {
	texts := make([]string, len(tasks))
	for i, t := range tasks {
		texts[i] = fmt.Sprint(t)
	}
	if len(texts) == 1 {
		return "task " + texts[0]
	}
	return "tasks " + strings.Join(texts, ", ")
}

// failure says why what was asked for could not be shown, nil if some of it was.
func (s *stateShown) failure(wait time.Duration) error {
	var why []string
	for _, r := range s.Rows {
		if r.Error == "" {
			return nil
		}
		why = append(why, r.Error)
	}
	if len(s.Silent) > 0 {
		why = append(why, fmt.Sprintf("%s did not answer within %v: they are starting, restarting or busy", tasksNamed(s.Silent), wait))
	}
	switch slices.Sort(why); {
	case len(why) > 0:
		return fmt.Errorf("component %s of %s: %s", s.Component, s.Topology, strings.Join(slices.Compact(why), "; "))
	case s.Key == nil:
		return fmt.Errorf("component %s of %s keeps no state", s.Component, s.Topology)
	}
	return fmt.Errorf("component %s of %s has nothing for key %q", s.Component, s.Topology, *s.Key)
}

// printState writes a line for each task and state.
func printState(w io.Writer, s stateShown) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	said := false
	for _, r := range s.Rows {
		if r.Error != "" && r.State == "" {
			continue // it is told at the end, or does not matter beside what others have
		}
		if !said {
			said = true
			fmt.Fprintln(tw, "TASK\tSTATE\tKIND\tVALUE")
		}
		value := string(r.Value)
		if r.Error != "" {
			value = "(" + r.Error + ")"
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\n", r.Task, r.State, r.Kind, value)
	}
	return tw.Flush()
}

// listedState is a state, and how many tasks have it.
type listedState struct {
	state, kind string
	tasks       int
}

// statesOf adds up the tasks of each state.
func statesOf(s stateShown) (list []listedState) {
	for _, r := range s.Rows {
		if r.State == "" {
			continue
		}
		i := slices.IndexFunc(list, func(l listedState) bool { return l.state == r.State && l.kind == r.Kind })
		if i < 0 {
			i, list = len(list), append(list, listedState{state: r.State, kind: r.Kind})
		}
		list[i].tasks++
	}
	return list
}

// printStates writes a line for each state.
func printStates(w io.Writer, s stateShown) error {
	list := statesOf(s)
	if len(list) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "STATE\tKIND\tTASKS")
	for _, l := range list {
		fmt.Fprintf(tw, "%s\t%s\t%d\n", l.state, l.kind, l.tasks)
	}
	return tw.Flush()
}
