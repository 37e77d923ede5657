package nimbus

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// goldenConf is the configuration that the topology is submitted with.
const goldenConf = `{"topology.workers": 1, "topology.stats.sample.rate": 1.0, "topology.debug": false}`

// stage is a Nimbus with the topology words, where a node with two slots runs it and its workers have told their figures.
type stage struct {
	client         *stormrpc.NimbusClient
	id, node, host string
	owner          string
	byHost         bool // ask for nodes of a host too: to Storm no id is another thing than an empty one, which this client cannot say
}

// act does what leaves something to be seen in the answers.
func (s *stage) act(ctx context.Context) error {
	return errors.Join(
		s.client.Debug(ctx, "words", "count", true, 250),
		s.client.SetLogConfig(ctx, s.id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{
			"com.example": {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("WARN"), ResetLogLevelTimeoutSecs: ref(int32(30))}}}))
}

// results calls every method that answers with structs.
func (s *stage) results(t *testing.T, windows ...string) map[string]any {
	t.Helper()
	ctx, c := t.Context(), s.client
	out := make(map[string]any)
	keep := func(name string) func(any, error) {
		return func(v any, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			out[name] = v
		}
	}
	for _, window := range windows {
		for _, system := range []bool{false, true} {
			suffix := fmt.Sprintf(" %s %v", window, system)
			keep("getTopologyPageInfo" + suffix)(any2(c.GetTopologyPageInfo(ctx, s.id, window, system)))
			for _, component := range []string{"words", "count", "__acker"} {
				keep("getComponentPageInfo " + component + suffix)(any2(c.GetComponentPageInfo(ctx, s.id, component, window, system)))
			}
		}
	}
	keep("getClusterInfo")(any2(c.GetClusterInfo(ctx)))
	keep("getTopologySummaries")(any2(c.GetTopologySummaries(ctx)))
	keep("getLeader")(any2(c.GetLeader(ctx)))
	keep("getTopologyInfo")(any2(c.GetTopologyInfo(ctx, s.id)))
	for _, choice := range []stormrpc.NumErrorsChoice{stormrpc.NumErrorsChoice_NONE, stormrpc.NumErrorsChoice_ONE} {
		keep("getTopologyInfoByNameWithOpts " + choice.String())(any2(c.GetTopologyInfoByNameWithOpts(ctx, "words", &stormrpc.GetInfoOptions{NumErrChoice: &choice})))
	}
	keep("getSupervisorPageInfo id")(any2(c.GetSupervisorPageInfo(ctx, s.node, "", true)))
	if s.byHost {
		keep("getSupervisorPageInfo host")(any2(c.GetSupervisorPageInfo(ctx, "", s.host, false)))
	}
	keep("getOwnerResourceSummaries")(any2(c.GetOwnerResourceSummaries(ctx, s.owner)))
	keep("getTopology")(any2(c.GetTopology(ctx, s.id)))
	keep("getUserTopology")(any2(c.GetUserTopology(ctx, s.id)))
	keep("getTopologyHistory")(any2(c.GetTopologyHistory(ctx, s.owner)))
	keep("getLogConfig")(any2(c.GetLogConfig(ctx, s.id)))
	keep("getTopologySummary")(any2(c.GetTopologySummary(ctx, s.id)))
	keep("getTopologyInfoByName")(any2(c.GetTopologyInfoByName(ctx, "words")))
	keep("getComponentPendingProfileActions")(any2(c.GetComponentPendingProfileActions(ctx, s.id, "words", stormrpc.ProfileAction_JPROFILE_STOP)))
	keep("getSupervisorAssignments")(any2(c.GetSupervisorAssignments(ctx, s.node)))
	keep("getBlobMeta")(any2(c.GetBlobMeta(ctx, s.id+"-stormjar.jar")))
	keep("listBlobs")(any2(c.ListBlobs(ctx, "")))
	return out
}

func any2[T any](v T, err error) (any, error) { return v, err }

// refusals are calls whose answers are told in words.
func (s *stage) refusals(ctx context.Context) map[string]string {
	c, out := s.client, make(map[string]string)
	location, err := c.BeginFileUpload(ctx)
	if err == nil {
		err = errors.Join(c.UploadChunk(ctx, location, []byte("x")), c.FinishFileUpload(ctx, location))
	}
	out["upload of a jar"] = answer(err)
	meta := &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{}}
	for call, err := range map[string]error{
		"killTopology nosuch":                      c.KillTopology(ctx, "nosuch"),
		"activate nosuch":                          c.Activate(ctx, "nosuch"),
		"deactivate nosuch":                        c.Deactivate(ctx, "nosuch"),
		"activate words":                           c.Activate(ctx, "words"),
		"rebalance nosuch":                         c.Rebalance(ctx, "nosuch", &stormrpc.RebalanceOptions{}),
		"rebalance unknown component":              c.Rebalance(ctx, "words", &stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"nosuch": 1}}),
		"rebalance no executors":                   c.Rebalance(ctx, "words", &stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"count": 0}}),
		"submitTopology live name":                 c.SubmitTopology(ctx, "words", location, goldenConf, words()),
		"submitTopology bad name":                  c.SubmitTopology(ctx, "a/b", location, goldenConf, words()),
		"submitTopology subscribes to nothing":     c.SubmitTopology(ctx, "other", location, goldenConf, subscribes("nosuch", "default", "word")),
		"submitTopology subscribes to no stream":   c.SubmitTopology(ctx, "other", location, goldenConf, subscribes("words", "nosuch", "word")),
		"submitTopology subscribes to no field":    c.SubmitTopology(ctx, "other", location, goldenConf, subscribes("words", "default", "nosuch")),
		"submitTopology no such blob":              c.SubmitTopology(ctx, "other", location, `{"topology.blobstore.map": {"nosuch": {}}}`, words()),
		"submitTopology no such jar":               c.SubmitTopology(ctx, "other", "/nosuch/stormjar.jar", goldenConf, words()),
		"submitTopologyWithOpts without options":   c.SubmitTopologyWithOpts(ctx, "other", location, goldenConf, words(), nil),
		"getTopologyInfo nosuch":                   second(c.GetTopologyInfo(ctx, "nosuch")),
		"getTopologyInfoByName nosuch":             second(c.GetTopologyInfoByName(ctx, "nosuch")),
		"getTopologySummary nosuch":                second(c.GetTopologySummary(ctx, "nosuch")),
		"getTopologySummaryByName nosuch":          second(c.GetTopologySummaryByName(ctx, "nosuch")),
		"getTopologyPageInfo nosuch":               second(c.GetTopologyPageInfo(ctx, "nosuch", ":all-time", false)),
		"getComponentPageInfo nosuch":              second(c.GetComponentPageInfo(ctx, "nosuch", "words", ":all-time", false)),
		"getTopologyConf nosuch":                   second(c.GetTopologyConf(ctx, "nosuch")),
		"getTopology nosuch":                       second(c.GetTopology(ctx, "nosuch")),
		"getUserTopology nosuch":                   second(c.GetUserTopology(ctx, "nosuch")),
		"getLogConfig nosuch":                      second(c.GetLogConfig(ctx, "nosuch")),
		"setLogConfig nosuch":                      c.SetLogConfig(ctx, "nosuch", &stormrpc.LogConfig{}),
		"setLogConfig logger without a name":       c.SetLogConfig(ctx, s.id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{"": {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("INFO")}}}),
		"debug nosuch":                             c.Debug(ctx, "nosuch", "", true, 10),
		"uploadNewCredentials nosuch":              c.UploadNewCredentials(ctx, "nosuch", &stormrpc.Credentials{Creds: map[string]string{}}),
		"uploadNewCredentials of another owner":    c.UploadNewCredentials(ctx, "words", &stormrpc.Credentials{Creds: map[string]string{}, TopoOwner: ref("nobody")}),
		"getSupervisorPageInfo nosuch":             second(c.GetSupervisorPageInfo(ctx, "nosuch", "", false)),
		"getBlobMeta nosuch":                       second(c.GetBlobMeta(ctx, "nosuch")),
		"setBlobMeta nosuch":                       c.SetBlobMeta(ctx, "nosuch", meta),
		"beginUpdateBlob nosuch":                   second(c.BeginUpdateBlob(ctx, "nosuch")),
		"beginBlobDownload nosuch":                 second(c.BeginBlobDownload(ctx, "nosuch")),
		"getBlobReplication nosuch":                second(c.GetBlobReplication(ctx, "nosuch")),
		"deleteBlob nosuch":                        c.DeleteBlob(ctx, "nosuch"),
		"deleteBlob of a live topology":            c.DeleteBlob(ctx, s.id+"-stormjar.jar"),
		"updateBlobReplication":                    second(c.UpdateBlobReplication(ctx, s.id+"-stormjar.jar", 2)),
		"beginCreateBlob bad key":                  second(c.BeginCreateBlob(ctx, "a/b", meta)),
		"beginCreateBlob key there is":             second(c.BeginCreateBlob(ctx, s.id+"-stormjar.jar", meta)),
		"uploadBlobChunk no session":               c.UploadBlobChunk(ctx, "nosuch", []byte("x")),
		"finishBlobUpload no session":              c.FinishBlobUpload(ctx, "nosuch"),
		"cancelBlobUpload no session":              c.CancelBlobUpload(ctx, "nosuch"),
		"downloadBlobChunk no session":             second(c.DownloadBlobChunk(ctx, "nosuch")),
		"listBlobs no session":                     second(c.ListBlobs(ctx, "nosuch")),
		"uploadChunk no location":                  c.UploadChunk(ctx, "/nosuch", []byte("x")),
		"finishFileUpload no location":             c.FinishFileUpload(ctx, "/nosuch"),
		"downloadChunk":                            second(c.DownloadChunk(ctx, "nosuch")),
		"isRemoteBlobExists nosuch":                second(c.IsRemoteBlobExists(ctx, "nosuch")),
		"processWorkerMetrics":                     c.ProcessWorkerMetrics(ctx, &stormrpc.WorkerMetrics{TopologyId: s.id, Port: 1, Hostname: "h", MetricList: &stormrpc.WorkerMetricList{Metrics: []*stormrpc.WorkerMetricPoint{}}}),
		"sendSupervisorWorkerHeartbeats of no one": c.SendSupervisorWorkerHeartbeats(ctx, &stormrpc.SupervisorWorkerHeartbeats{SupervisorID: "nosuch", WorkerHeartbeats: []*stormrpc.SupervisorWorkerHeartbeat{}}),
	} {
		out[call] = answer(err)
	}
	for name, ask := range map[string]string{"a free name": "free", "a live name": "words", "a bad name": "a/b"} {
		yes, err := c.IsTopologyNameAllowed(ctx, ask)
		out["isTopologyNameAllowed "+name] = fmt.Sprint(yes, " ", answer(err))
	}
	return out
}

// subscribes is words whose bolt subscribes to something else.
func subscribes(component, stream, field string) *stormrpc.StormTopology {
	t := words()
	in := &t.Bolts["count"].Common.Inputs[0]
	in.Key = &stormrpc.GlobalStreamId{ComponentId: component, StreamId: stream}
	in.Value = &stormrpc.Grouping{Fields: []string{field}}
	return t
}
