package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/metrics"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func infoCommand() *cli.Command {
	return &cli.Command{
		Name: "info", Category: catCluster, Usage: "what the components of a topology have done, and their errors", ArgsUsage: "NAME",
		Description: "With -o json (or yaml) an object with id, name, status, uptime_secs, scheduled and components, each with name, executors, tasks, emitted,\n" +
			"transferred, executed, acked, failed, latency_ms, latency_p50_ms, latency_p99_ms, queue_p50_ms, queue_p99_ms, throttled_by\n" +
			"(component, share, task, now) and errors (text, time_secs, host, port); and links, each with from, to and over: which worker\n" +
			"sends to which one by ring (shared memory), unix (a socket) or tcp, or is not connected to it: down; and workers,\n" +
			"each with topology, worker (host:port), id, state (starting, ready, suspect), uptime_secs, restarts, last_exit (of the one before), suspect (why),\n" +
			"memory_mb, memory_limit_mb, cpu_secs, throttled_secs (with all it started; missing until it was looked at). Counts and latency_ms are since the workers started,\n" +
			"p50 and p99 of the last five to ten minutes. The latency is from emit to the end of the tree for a spout, from arrival to the\n" +
			"ack for a bolt; queue is the wait in the inbox before it. A component is throttled by another one while it waits for room\n" +
			"in the inboxes of that one; share is the part of the last seconds that it did.\n" +
			"Ends of worker processes are errors of the component __system. A topology with event time or checkpoints also has timing, as \"gearstorm checkpoints\" has it.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				ti, err := n.rpc.GetTopologyInfoByName(c.Context, name)
				if err != nil {
					return err
				}
				info := summarize(ti)
				if asData {
					return printData(c, info)
				}
				return printInfo(c.App.Writer, info)
			})
		},
	}
}

// topologyInfo is a topology in JSON output; the names are part of the interface.
type topologyInfo struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Status     string          `json:"status"`
	Uptime     int32           `json:"uptime_secs"`
	Scheduled  string          `json:"scheduled"` // what Nimbus says of its slots
	Components []componentInfo `json:"components"`
	Links      []linkInfo      `json:"links,omitempty"`
	Workers    []workerInfo    `json:"workers,omitempty"`
	Timing     *timingInfo     `json:"timing,omitempty"`
}

// linkInfo is how one worker sends to another.
type linkInfo struct {
	From string `json:"from"`
	To   string `json:"to"`
	Over string `json:"over"` // ring, unix, tcp or down
}

// componentInfo adds up the executors of a component since they started.
type componentInfo struct {
	Name        string      `json:"name"`
	Executors   int         `json:"executors"`
	Tasks       int         `json:"tasks"`
	Emitted     int64       `json:"emitted"`
	Transferred int64       `json:"transferred"`
	Executed    int64       `json:"executed"`
	Acked       int64       `json:"acked"`
	Failed      int64       `json:"failed"`
	LatencyMs   float64     `json:"latency_ms"` // complete latency of a spout, process latency of a bolt
	P50Ms       float64     `json:"latency_p50_ms"`
	P99Ms       float64     `json:"latency_p99_ms"`
	QueueP50Ms  float64     `json:"queue_p50_ms"`
	QueueP99Ms  float64     `json:"queue_p99_ms"`
	ThrottledBy []throttle  `json:"throttled_by,omitempty"`
	Errors      []errorInfo `json:"errors,omitempty"`

	weight int64
}

type errorInfo struct {
	Text string `json:"text"`
	Time int32  `json:"time_secs"`
	Host string `json:"host"`
	Port int32  `json:"port"`
}

const (
	allTime = ":all-time"
	// fullyScheduled is said of a topology that has all slots it asked for.
	fullyScheduled = "Fully Scheduled"
	// manyTuples is from how many on it says something if few were acked.
	manyTuples = 100
)

func summarize(ti *stormrpc.TopologyInfo) topologyInfo {
	out := topologyInfo{ID: ti.ID, Name: ti.Name, Status: ti.Status, Uptime: ti.UptimeSecs, Scheduled: ti.GetSchedStatus(), Components: []componentInfo{}}
	byName, times := map[string]*componentInfo{}, map[string]*metrics.Times{}
	for _, e := range ti.Executors {
		ci := byName[e.ComponentID]
		if ci == nil {
			ci = &componentInfo{Name: e.ComponentID}
			byName[e.ComponentID], times[e.ComponentID] = ci, &metrics.Times{}
		}
		ci.add(e)
		times[e.ComponentID].Add(e.Stats)
	}
	for name, errs := range ti.Errors { // __system has no executors, but the ends of workers
		if byName[name] == nil && len(errs) > 0 {
			byName[name] = &componentInfo{Name: name}
		}
	}
	for name, ci := range byName {
		for _, e := range ti.Errors[name] {
			ci.Errors = append(ci.Errors, errorInfo{e.Error, e.ErrorTimeSecs, e.GetHost(), e.GetPort()})
		}
		if ci.weight > 0 {
			ci.LatencyMs /= float64(ci.weight)
		}
		if t := times[name]; t != nil {
			ci.P50Ms, ci.P99Ms = millis(t.Latency.Quantile(0.5)), millis(t.Latency.Quantile(0.99))
			ci.QueueP50Ms, ci.QueueP99Ms = millis(t.Queue.Quantile(0.5)), millis(t.Queue.Quantile(0.99))
			ci.ThrottledBy = throttles(t.Throttles())
		}
		out.Components = append(out.Components, *ci)
	}
	slices.SortFunc(out.Components, func(a, b componentInfo) int {
		return cmp.Or(strings.Compare(systemLast(a.Name), systemLast(b.Name)), strings.Compare(a.Name, b.Name))
	})
	for _, l := range ti.Links {
		from := net.JoinHostPort(l.GetHost(), strconv.Itoa(int(l.GetPort())))
		out.Links = append(out.Links, linkInfo{from, l.Peer, cmp.Or(l.Over, "down")})
	}
	out.Workers, out.Timing = workerInfos(ti.Workers), timingOf(ti.Timing)
	return out
}

// systemLast sorts the components of the user's before those of Storm.
func systemLast(name string) string {
	if strings.HasPrefix(name, "__") {
		return "b"
	}
	return "a"
}

func (ci *componentInfo) add(e *stormrpc.ExecutorSummary) {
	ci.Executors++
	ci.Tasks += int(e.ExecutorInfo.TaskEnd-e.ExecutorInfo.TaskStart) + 1
	s := e.Stats
	if s == nil {
		return
	}
	ci.Emitted += sum(s.Emitted[allTime])
	ci.Transferred += sum(s.Transferred[allTime])
	if sp := s.Specific.GetSpout(); sp != nil {
		ci.Acked += sum(sp.Acked[allTime])
		ci.Failed += sum(sp.Failed[allTime])
		for stream, n := range sp.Acked[allTime] {
			ci.weigh(n, sp.CompleteMsAvg[allTime][stream])
		}
	}
	if b := s.Specific.GetBolt(); b != nil {
		for _, v := range b.Executed[allTime] {
			ci.Executed += v.Value
		}
		for _, v := range b.Failed[allTime] {
			ci.Failed += v.Value
		}
		for _, v := range b.Acked[allTime] {
			ci.Acked += v.Value
			for _, l := range b.ProcessMsAvg[allTime] {
				if *l.Key == *v.Key {
					ci.weigh(v.Value, l.Value)
				}
			}
		}
	}
}

func (ci *componentInfo) weigh(n int64, ms float64) {
	ci.weight += n
	ci.LatencyMs += float64(n) * ms
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func printInfo(w io.Writer, info topologyInfo) error {
	fmt.Fprintf(w, "%s  %s  up %s  %s\n", info.Name, info.Status, time.Duration(info.Uptime)*time.Second, info.ID)
	if info.Scheduled != "" && info.Scheduled != fullyScheduled {
		fmt.Fprintln(w, info.Scheduled)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "COMPONENT\tEXECUTORS\tTASKS\tEXECUTED\tEMITTED\tACKED\tFAILED\tLATENCY ms\tP50\tP99\tQUEUE P99\t")
	for _, c := range info.Components {
		if c.Tasks == 0 {
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t\n",
			c.Name, c.Executors, c.Tasks, c.Executed, c.Emitted, c.Acked, c.Failed, c.LatencyMs, c.P50Ms, c.P99Ms, c.QueueP99Ms)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if info.Timing != nil {
		if err := printClocks(w, info.Timing); err != nil {
			return err
		}
	}
	if err := printWorkers(w, info.Workers, false); err != nil {
		return err
	}
	if err := printLinks(w, info.Links); err != nil {
		return err
	}
	for _, c := range info.Components {
		for _, line := range throttleLines(c.Name, c.ThrottledBy) {
			fmt.Fprintf(w, "\n%s\n", line)
		}
	}
	tracked := slices.ContainsFunc(info.Components, func(c componentInfo) bool { return c.Name == gearcore.AckerComponent && c.Tasks > 0 })
	for _, c := range info.Components {
		if settled := c.Acked + c.Failed; tracked && c.Executed >= manyTuples && settled < c.Executed/10 {
			fmt.Fprintf(w, "\n%s has acked or failed %d of %d tuples; without either a tuple times out\n", c.Name, settled, c.Executed)
		}
		for _, e := range newestOfEach(c.Errors) {
			more := ""
			if e.more > 0 {
				more = fmt.Sprintf("  (and %d like it before)", e.more)
			}
			fmt.Fprintf(w, "\n%s  %s  %s:%d%s\n    %s\n", time.Unix(int64(e.Time), 0).Format(time.DateTime), c.Name, e.Host, e.Port, more, indented(e.Text))
		}
	}
	return nil
}

// printLinks writes a line for each kind of link that a worker has. links are in order of From.
func printLinks(w io.Writer, links []linkInfo) error {
	if len(links) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nWORKER\tLINKS\tTO")
	for len(links) > 0 {
		from, to := links[0].From, map[string][]string{}
		for len(links) > 0 && links[0].From == from {
			to[links[0].Over] = append(to[links[0].Over], links[0].To)
			links = links[1:]
		}
		for _, over := range slices.Sorted(maps.Keys(to)) {
			fmt.Fprintf(tw, "%s\t%s\t%s\n", from, over, strings.Join(to[over], " "))
		}
	}
	return tw.Flush()
}

type errorsAlike struct {
	errorInfo
	more int
}

// newestOfEach keeps the first of errors that differ in figures only, and counts the others.
func newestOfEach(errs []errorInfo) []errorsAlike {
	var out []errorsAlike
	at := map[string]int{}
	for _, e := range errs {
		if i, known := at[alike(e.Text)]; known {
			out[i].more++
			continue
		}
		at[alike(e.Text)] = len(out)
		out = append(out, errorsAlike{e, 0})
	}
	return out
}
