package nimbus

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// transcript is all answers in lines of three columns: where it is, which field of which struct, its value.
func (s *stage) transcript(t *testing.T) []goldenLine {
	t.Helper()
	must(t, s.act(t.Context()))
	f := flattener{hide: strings.NewReplacer(s.id, "<id>", s.host, "<host>", s.node, "<node>", "by "+s.owner, "by <owner>")}
	for call, v := range s.results(t, ":all-time") {
		f.add(call, strings.Fields(call)[0], reflect.ValueOf(v))
	}
	for call, text := range s.refusals(t.Context()) {
		if strings.Contains(text, "network connection") || strings.Contains(text, "EOF") {
			t.Fatalf("%s: the connection was lost: %s", call, text)
		}
		f.lines = append(f.lines, goldenLine{call, "answer of " + call, f.hide.Replace(text)})
	}
	text, err := s.client.GetTopologyConf(t.Context(), s.id)
	must(t, err)
	f.keys(t, "getTopologyConf", text)
	text, err = s.client.GetNimbusConf(t.Context())
	must(t, err)
	f.keys(t, "getNimbusConf", text)
	slices.SortFunc(f.lines, func(a, b goldenLine) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.value, b.value)) })
	return f.lines
}

// keys adds the keys of a configuration.
func (f *flattener) keys(t *testing.T, call, text string) {
	t.Helper()
	var all map[string]any
	must(t, json.Unmarshal([]byte(text), &all))
	delete(all, "storm.log.dir") // given to the daemons that were recorded
	delete(all, "storm.local.hostname")
	for key := range all {
		f.lines = append(f.lines, goldenLine{call + " " + key, call + " " + key, "key"})
	}
}

// goldenLine is one value of an answer: where, which field of which struct, what.
type goldenLine struct{ at, field, value string }

// flattener turns answers into lines.
type flattener struct {
	hide  *strings.Replacer // names that are others each time
	lines []goldenLine
}

// changing are fields whose values are others each time, or figures of what runs; that they are there is all that counts.
var changing = []string{"*.uptime_secs", "*.time_secs", "*.error_time_secs", "*.host", "*.port", "*.session", "*.version", "*.owner",
	"ErrorInfo.error", "ExecutorStats.*", "BoltStats.*", "SpoutStats.*", "TopologyStats.*", "BoltAggregateStats.*", "SpoutAggregateStats.*",
	"CommonAggregateStats.emitted", "CommonAggregateStats.transferred", "CommonAggregateStats.acked", "CommonAggregateStats.failed",
	"LogLevel.reset_log_level_timeout_epoch", "TopologyPageInfo.topology_conf", "*.topology_id", "Assignment.executor_start_time_secs",
	"SupervisorSummary.total_resources", "SupervisorSummary.silent_secs", "Assignment.master_code_dir", "SupervisorSummary.used_*", "ComponentCommon.json_conf", "ListBlobsResult_.*", "TopologyHistoryInfo.*"}

func isChanging(field string) bool {
	return slices.ContainsFunc(changing, func(p string) bool { ok, _ := path.Match(p, field); return ok })
}

// isFigures tells of the figures of an executor, in which what there is depends on what it has done.
func isFigures(field string) bool {
	name, _, _ := strings.Cut(field, ".")
	return name == "ExecutorStats" || name == "BoltStats" || name == "SpoutStats"
}

// isAcking tells of the traffic of acks, which we do not have: trees are counted where they are.
func isAcking(field, key string) bool {
	return strings.HasPrefix(field, "ComponentPageInfo.") && strings.Contains(key, "__ack_")
}

func (f *flattener) add(at, field string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Invalid:
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			f.add(at, field, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, ok := strings.Cut(v.Type().Field(i).Tag.Get("thrift"), ",")
			if ok {
				f.add(at+"."+tag, v.Type().Name()+"."+tag, v.Field(i))
			}
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		f.leaf(at+"{}", field, "map")
		if isFigures(field) {
			return
		}
		for it := v.MapRange(); it.Next(); {
			if key := f.hide.Replace(fmt.Sprint(it.Key())); !isAcking(field, key) {
				f.add(at+"{"+key+"}", field, it.Value())
			}
		}
	case reflect.Slice:
		f.list(at, field, v)
	default:
		f.leaf(at, field, fmt.Sprint(v.Interface()))
	}
}

// list adds a list, a set, a map with struct keys or bytes. Elements are named by what they are of, else by their place.
func (f *flattener) list(at, field string, v reflect.Value) {
	if v.IsNil() {
		return
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		f.leaf(at, field, fmt.Sprint(len(v.Bytes()), " bytes"))
		return
	}
	f.leaf(at+"[]", field, "list")
	if isFigures(field) {
		return
	}
	for i := range v.Len() {
		e, name := v.Index(i), fmt.Sprint(i)
		if k := e.Kind(); k == reflect.Struct && e.Type().NumField() == 2 && e.Type().Field(0).Name == "Key" { // a wire.MapEntry
			if key := f.name(e.Field(0)); !isAcking(field, key) {
				f.add(at+"{"+key+"}", field, e.Field(1))
			}
			continue
		}
		if e.Kind() == reflect.Pointer && !e.IsNil() && e.Elem().Kind() == reflect.Struct {
			for _, of := range []string{"ExecutorInfo", "ExecSummary"} {
				if x := e.Elem().FieldByName(of); x.IsValid() {
					name = f.name(x)
				}
			}
		}
		if _, ok := e.Interface().(*stormrpc.ErrorInfo); ok && i > 0 {
			break // how many there are differs
		}
		f.add(at+"["+name+"]", field, e)
	}
}

// name is the short text of a key.
func (f *flattener) name(v reflect.Value) string {
	switch k := v.Interface().(type) {
	case *stormrpc.GlobalStreamId:
		return k.ComponentId + "/" + k.StreamId
	case *stormrpc.ExecutorInfo:
		return fmt.Sprintf("%d-%d", k.TaskStart, k.TaskEnd)
	case *stormrpc.ExecutorSummary:
		return fmt.Sprintf("%d-%d", k.ExecutorInfo.TaskStart, k.ExecutorInfo.TaskEnd)
	case *stormrpc.NodeInfo:
		return f.hide.Replace(k.Node)
	}
	return fmt.Sprint(v.Interface())
}

func (f *flattener) leaf(at, field, value string) {
	if isChanging(field) && !strings.HasSuffix(at, "{}") && !strings.HasSuffix(at, "[]") {
		value = "?"
	}
	f.lines = append(f.lines, goldenLine{at, field, strings.ReplaceAll(f.hide.Replace(value), "\n", `\n`)})
}
