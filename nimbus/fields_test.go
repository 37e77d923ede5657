package nimbus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// wordStats are figures of one executor: of a spout that emitted, or of a bolt that read from words.
func wordStats(spout bool) *stormrpc.ExecutorStats {
	s := &stormrpc.ExecutorStats{Rate: 1,
		Emitted:     map[string]map[string]int64{":all-time": {"default": 100, "__ack_init": 50}, "600": {"default": 40}},
		Transferred: map[string]map[string]int64{":all-time": {"default": 80}, "600": {"default": 20}}}
	if spout {
		s.Specific = &stormrpc.ExecutorSpecificStats{Spout: &stormrpc.SpoutStats{
			Acked: map[string]map[string]int64{":all-time": {"default": 60}}, Failed: map[string]map[string]int64{":all-time": {"default": 4}},
			CompleteMsAvg: map[string]map[string]float64{":all-time": {"default": 2.5}}}}
		return s
	}
	from := &stormrpc.GlobalStreamId{ComponentId: "words", StreamId: "default"}
	counts := func(all, ten int64) map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, int64] {
		return map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, int64]{":all-time": {{Key: from, Value: all}}, "600": {{Key: from, Value: ten}}}
	}
	millis := func(ms float64) map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, float64] {
		return map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, float64]{":all-time": {{Key: from, Value: ms}}, "600": {{Key: from, Value: ms}}}
	}
	s.Specific = &stormrpc.ExecutorSpecificStats{Bolt: &stormrpc.BoltStats{Acked: counts(70, 7), Failed: counts(3, 0), Executed: counts(1000, 500),
		ExecuteMsAvg: millis(20), ProcessMsAvg: millis(30)}}
	return s
}

// withFigures is a master with a topology whose workers reported stats and one error.
func withFigures(t *testing.T) (*testCluster, string) {
	t.Helper()
	c := start(t, nil)
	a := c.node("a", 6700, 6701)
	id := c.submitWords("words", `{"topology.workers": 1}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	r := a.report.Workers[0]
	for e := range map[[2]int32]bool{{2, 3}: false, {4, 4}: false, {5, 5}: false, {6, 6}: true, {7, 7}: true} {
		r.ExecutorStats = append(r.ExecutorStats, wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{
			Key: &stormrpc.ExecutorInfo{TaskStart: e[0], TaskEnd: e[1]}, Value: wordStats(e[0] >= 6)})
	}
	for i := range 3 {
		r.Errors = append(r.Errors, &stormrpc.WorkerError{Component: "count", Message: fmt.Sprintf("error %d", i), TimeMs: int64(1_800_000_000_000 + i*1000), Task: ref(int32(3))})
	}
	a.sync(0)
	must(t, c.client.Debug(t.Context(), "words", "count", true, 250))
	return c, id
}

// needed are fields that Storm's interface calls optional but its clients read without asking.
var needed = map[string][]string{
	"SupervisorSummary":       {"TotalResources", "Version"},
	"TopologySummary":         {"Owner", "SchedStatus", "ReplicationCount", "RequestedMemonheap", "RequestedCPU", "AssignedMemonheap", "AssignedCPU"},
	"TopologyPageInfo":        {"Name", "UptimeSecs", "Status", "NumTasks", "NumWorkers", "NumExecutors", "TopologyConf", "IDToSpoutAggStats", "IDToBoltAggStats", "TopologyStats", "Owner", "Workers", "ReplicationCount"},
	"TopologyStats":           {"WindowToEmitted", "WindowToTransferred", "WindowToCompleteLatenciesMs", "WindowToAcked", "WindowToFailed"},
	"ComponentAggregateStats": {"Type", "CommonStats", "SpecificStats"},
	"CommonAggregateStats":    {"NumExecutors", "NumTasks", "Emitted", "Transferred", "Acked", "Failed"},
	"ComponentPageInfo":       {"TopologyID", "TopologyName", "TopologyStatus", "NumExecutors", "NumTasks", "WindowToStats", "SidToOutputStats", "ExecStats", "Errors", "ResourcesMap"},
	"ExecutorAggregateStats":  {"ExecSummary", "Stats"},
	"SupervisorPageInfo":      {"SupervisorSummaries", "WorkerSummaries"},
	"WorkerSummary":           {"SupervisorID", "Host", "Port", "TopologyID", "TopologyName", "NumExecutors", "ComponentToNumTasks", "UptimeSecs", "Owner"},
	"NimbusSummary":           {"TlsPort"},
	"LogConfig":               {"NamedLoggerLevel"},
	"OwnerResourceSummary":    {"TotalTopologies", "TotalExecutors", "TotalWorkers", "TotalTasks", "MemoryUsage", "CPUUsage"},
}

// unset lists the fields below v that must be set and are not. Values that came over the wire are nil when unset.
func unset(path string, v reflect.Value, seen map[string]bool) []string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return unset(path, v.Elem(), seen)
	case reflect.Slice:
		var out []string
		for i := range v.Len() {
			out = append(out, unset(fmt.Sprintf("%s[%d]", path, i), v.Index(i), seen)...)
		}
		return out
	case reflect.Map:
		var out []string
		for it := v.MapRange(); it.Next(); {
			out = append(out, unset(fmt.Sprintf("%s[%v]", path, it.Key()), it.Value(), seen)...)
		}
		return out
	case reflect.Struct:
		var out []string
		typ := v.Type()
		seen[typ.Name()] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			required := strings.HasSuffix(f.Tag.Get("thrift"), ",required") || slices.Contains(needed[typ.Name()], f.Name)
			switch f.Type.Kind() {
			case reflect.Pointer, reflect.Map, reflect.Slice:
				if required && v.Field(i).IsNil() {
					out = append(out, path+"."+f.Name)
				}
			}
			out = append(out, unset(path+"."+f.Name, v.Field(i), seen)...)
		}
		return out
	}
	return nil
}

func TestFieldsThatClientsReadAreSet(t *testing.T) {
	c, id := withFigures(t)
	must(t, c.client.SetLogConfig(t.Context(), id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{"ROOT": {
		Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("DEBUG"), ResetLogLevelTimeoutSecs: ref(int32(30))}}}))
	check := func(c *testCluster, id string) map[string]bool {
		seen := make(map[string]bool)
		at := stage{client: c.client, id: id, node: "a", host: "a.example", byHost: true}
		for name, v := range at.results(t, "600", ":all-time", "nonsense") {
			for _, field := range unset(name, reflect.ValueOf(v), seen) {
				t.Errorf("not set: %s", field)
			}
		}
		return seen
	}
	seen := check(c, id)
	for name := range needed {
		if !seen[name] {
			t.Errorf("no answer holds a %s: nothing was checked of it", name)
		}
	}
	// And with a topology that runs nowhere.
	empty := start(t, nil)
	check(empty, empty.submitWords("words", "{}"))
}

func TestUnsetFindsFields(t *testing.T) {
	bad := &stormrpc.ClusterSummary{Supervisors: []*stormrpc.SupervisorSummary{{}}, Topologies: []*stormrpc.TopologySummary{}}
	got := unset("x", reflect.ValueOf(bad), make(map[string]bool))
	if want := []string{"x.Supervisors[0].TotalResources", "x.Nimbuses"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// TestUnsupportedMethods calls every method of both services with empty arguments: those that are listed do not exist
// for a client, all others do.
func TestUnsupportedMethods(t *testing.T) {
	c := start(t, nil)
	listed := make(map[string]bool)
	for _, u := range UnsupportedMethods() {
		if u.Why == "" {
			t.Errorf("%s: no reason", u.Method)
		}
		listed[u.Method] = true
	}
	if !slices.IsSortedFunc(UnsupportedMethods(), func(a, b Unsupported) int { return strings.Compare(a.Method, b.Method) }) {
		t.Error("methods are not in order")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found := 0
	for _, client := range []any{c.client, stormrpc.NewGearstormClient(c.dial())} {
		v := reflect.ValueOf(client)
		for i := range v.NumMethod() {
			m := v.Type().Method(i)
			if m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() {
				continue
			}
			args := []reflect.Value{reflect.ValueOf(ctx)}
			for k := 2; k < m.Type.NumIn(); k++ {
				args = append(args, emptyArgument(m.Type.In(k)))
			}
			results := v.Method(i).Call(args)
			err, _ := results[len(results)-1].Interface().(error)
			var conn *wire.ConnError
			if errors.As(err, &conn) {
				t.Fatalf("%s: %v", m.Name, err)
			}
			code, app := wire.ApplicationError(err)
			name := strings.ToLower(m.Name[:1]) + m.Name[1:]
			if missing := app && code == wire.UnknownMethod; missing != listed[name] {
				t.Errorf("%s: answered as unknown %v, listed %v (%v)", name, missing, listed[name], err)
			}
			if listed[name] {
				found++
			}
		}
	}
	if found != len(listed) {
		t.Errorf("%d of %d listed methods exist in the services", found, len(listed))
	}
}

// emptyArgument makes an argument that can be written: an empty struct where one is wanted.
func emptyArgument(typ reflect.Type) reflect.Value {
	if typ.Kind() != reflect.Pointer {
		return reflect.Zero(typ)
	}
	v := reflect.New(typ.Elem())
	for i := range typ.Elem().NumField() {
		f := typ.Elem().Field(i)
		if strings.HasSuffix(f.Tag.Get("thrift"), ",required") && f.Type.Kind() == reflect.Pointer {
			v.Elem().Field(i).Set(emptyArgument(f.Type))
		}
	}
	return v
}
