package nimbus

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const oneWorker = `{"topology.workers": 1, "topology.acker.executors": 1}`

// apply uploads a jar with these files and applies a change.
func (c *testCluster) applyWords(jsonConf string, code *stormrpc.StormTopology, o *stormrpc.ChangeOptions, files ...string) *stormrpc.TopologyChange {
	c.t.Helper()
	if files == nil {
		files = []string{"resources/script.py"}
	}
	got, err := c.changes().ApplyChange(c.t.Context(), "words", c.upload(jar(c.t, files...)), jsonConf, code, o)
	must(c.t, err)
	return got
}

// versionsText are the versions of words in a line each, without their rows.
func (c *testCluster) versionsText() string {
	c.t.Helper()
	all, err := c.changes().GetTopologyVersions(c.t.Context(), "words")
	must(c.t, err)
	var lines []string
	for _, v := range all {
		line := fmt.Sprintf("%d from %d", v.Version, v.BaseVersion)
		if !v.GetKept() {
			line += " gone"
		}
		if v.GetNeverRan() {
			line += " never ran"
		}
		if v.GetStarting() {
			line += " starting"
		}
		if v.GetNote() != "" {
			line += " (" + v.GetNote() + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

// numbered is a numbering in short.
func numbered(runs []cluster.TaskRun) string {
	var out []string
	for _, r := range runs {
		out = append(out, fmt.Sprintf("%s %d-%d", r.Component, r.First, r.Last))
	}
	return strings.Join(out, ", ")
}

func withSink(t *stormrpc.StormTopology) { t.Bolts["sink"] = sink("python3") }

func TestApplyChange(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	id := c.submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	a.works()
	first, _ := c.named("words")
	if got := numbered(first.Numbering); got != "__acker 1-1, count 2-5, words 6-7" {
		t.Fatal(got)
	}

	got := c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`)
	}), nil)
	if want := "1>2 add sink: bolt python3 script.py, 1 task, from count by SHUFFLE | rescale count: 4 -> 2 tasks, 3 -> 2 executors"; changeText(got) != want {
		t.Errorf("got %s, want %s", changeText(got), want)
	}
	top, _ := c.named("words")
	if got, want := numbered(top.Numbering), "__acker 1-1, words 6-7, count 8-9, sink 10-10"; got != want || top.Highest != 10 || numbered(top.Gone) != "count 2-5" || top.InPlaceFrom != 1 {
		t.Errorf("numbering %s, want %s, highest %d", got, want, top.Highest)
	}
	plan := a.until("the new version", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].DagVersion == 2 }).Topologies[0]
	if plan.GetCodeID() != id+"-v2" || plan.CodeVersion != 1 || plan.AssignmentID == first.assignment.ID || len(*plan.Assignment.ExecutorNodePort) != 6 {
		t.Errorf("plan: code %s of version %d, assignment %s with %d executors", plan.GetCodeID(), plan.CodeVersion, plan.AssignmentID, len(*plan.Assignment.ExecutorNodePort))
	}
	since := first.assignment.Executors[0].Started
	for _, p := range top.assignment.Executors {
		if stays := p.First == 1 || p.First == 6 || p.First == 7; p.Port != 6700 || stays != p.Started.Equal(since) {
			t.Errorf("executor %+v", p)
		}
	}
	if got, want := c.versionsText(), "1 from 0, 2 from 1 starting"; got != want {
		t.Errorf("versions %s, want %s", got, want)
	}
	a.works()
	if got := c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 2}`)
	}), nil); changeText(got) != "2>2 " {
		t.Errorf("the same again: %s", changeText(got))
	}
	// A task that comes back is another one: ids are never given twice.
	if got := c.applyWords(oneWorker, wordsWith(withSink), &stormrpc.ChangeOptions{BaseVersion: ref(int64(2))}, "resources/script.py", "resources/other.py"); changeText(got) !=
		"2>3 replace count: files that go along with it are others | replace sink: files that go along with it are others | replace words: files that go along with it are others | "+
			"rescale count: 2 -> 4 tasks, 2 -> 3 executors" {
		t.Error(changeText(got))
	}
	top, _ = c.named("words")
	if got, want := numbered(top.Numbering), "__acker 1-1, count 11-14, sink 15-15, words 16-17"; got != want {
		t.Errorf("numbering %s, want %s", got, want)
	}
	all, err := c.changes().GetTopologyVersions(t.Context(), "words")
	must(t, err)
	for _, v := range all {
		if v.GetUser() != "tester" {
			t.Errorf("version %d was asked for by %q", v.Version, v.GetUser())
		}
	}
	if _, err := c.client.GetTopology(t.Context(), id); err != nil {
		t.Error(err)
	}
	if user, err := c.client.GetUserTopology(t.Context(), id); err != nil || user.Bolts["sink"] == nil {
		t.Errorf("code of the new version: %v, %v", user, err)
	}
	c.stop()
}

func TestApplyChangeIsRefused(t *testing.T) {
	c := start(t, nil)
	c.submitWords("words", oneWorker)
	got := c.applyWords(oneWorker, wordsWith(withSink), &stormrpc.ChangeOptions{BaseVersion: ref(int64(3))})
	if !strings.Contains(changeText(got), "refused: the plan was made against version 3, version 1 runs: plan again") {
		t.Error(changeText(got))
	}
	if _, err := c.changes().ApplyChange(t.Context(), "words", "", "{}", words(), nil); !strings.HasPrefix(answer(err), "Invalid topology jar") {
		t.Errorf("without an upload: %v", err)
	}
	if _, err := c.changes().RollbackTopology(t.Context(), "words", 1, nil); answer(err) != "Invalid version 1 of topology words is the one that runs" {
		t.Errorf("to what runs: %v", err)
	}
	if _, err := c.changes().RollbackTopology(t.Context(), "words", 9, nil); !strings.HasPrefix(answer(err), "Invalid topology words has no version 9") {
		t.Errorf("to nothing: %v", err)
	}
	base, done, err := c.begin(mustNamed(t, c, "words").ID)
	must(t, err)
	if _, err := c.changes().ApplyChange(t.Context(), "words", c.upload(jar(t, "x")), oneWorker, wordsWith(withSink), nil); !strings.HasPrefix(answer(err), "Invalid another change of topology words is being made") {
		t.Errorf("two at a time: %v", err)
	}
	done()
	// What was worked out from a version that does not run any more is not stored.
	p, err := c.propose(t.Context(), base, submission{name: "words", jsonConf: oneWorker, code: wordsWith(withSink), location: c.upload(jar(t, "x"))}, &stormrpc.ChangeOptions{})
	must(t, err)
	c.applyWords(`{"topology.workers": 1, "topology.acker.executors": 1, "topology.debug": true}`, words(), nil)
	if err := c.apply(t.Context(), p, c.upload(jar(t, "x")), ""); err != errMeanwhile {
		t.Errorf("a change that was overtaken: %v", err)
	}
	if keys := c.blobs.Keys("", 100); len(keys) != 6 {
		t.Errorf("blobs %v", keys)
	}
}

func mustNamed(t *testing.T, c *testCluster, name string) *topology {
	t.Helper()
	top, ok := c.named(name)
	if !ok {
		t.Fatalf("no topology %s", name)
	}
	return top
}

func TestRollback(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	id := c.submitWords("words", `{"topology.workers": 1, "topology.acker.executors": 1, "gearstorm.topology.versions.kept": 2}`)
	a.until("the topology", hasTopologies(1))
	kept := `{"topology.workers": 1, "topology.acker.executors": 1, "gearstorm.topology.versions.kept": 2}`
	c.applyWords(kept, wordsWith(withSink), nil)
	got, err := c.changes().RollbackTopology(t.Context(), "words", 1, nil)
	must(t, err)
	if changeText(got) != "2>3 remove sink: is no more" {
		t.Error(changeText(got))
	}
	top := mustNamed(t, c, "words")
	if top.Code != "" || top.GraphVersion != 3 || top.CodeVersion != 2 || numbered(top.Numbering) != "__acker 1-1, count 2-5, words 6-7" || top.Highest != 8 || top.Trial != nil {
		t.Errorf("after going back: %+v", top.Topology)
	}
	// Version 1 and 3 share their blobs, so with version 4 it is version 2 that goes.
	c.applyWords(kept, wordsWith(func(t *stormrpc.StormTopology) { t.Bolts["last"] = sink("python3") }), nil)
	if got, want := c.versionsText(), "1 from 0, 2 from 1 gone never ran, 3 from 1, 4 from 3 starting"; got != want {
		t.Errorf("versions %s, want %s", got, want)
	}
	if got, want := c.blobs.Keys("", 100), slices.Concat(blobKeys(id), blobKeys(id+"-v4")); len(got) != len(want) {
		t.Errorf("blobs %v, want %v", got, want)
	}
	if _, err := c.changes().RollbackTopology(t.Context(), "words", 2, nil); !strings.HasPrefix(answer(err), "Invalid version 2 of topology words is not kept any more") {
		t.Errorf("to one that is gone: %v", err)
	}
	top = mustNamed(t, c, "words")
	if got, want := numbered(top.Numbering), "__acker 1-1, count 2-5, words 6-7, last 9-9"; got != want {
		t.Errorf("numbering %s, want %s", got, want)
	}
	if answer(c.client.DeleteBlob(t.Context(), client.JarKey(id+"-v4"))) == "ok" {
		t.Error("a blob of a version could be deleted")
	}
	must(t, c.client.KillTopologyWithOpts(t.Context(), "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	eventually(t, "all blobs are gone", func() bool { return len(c.blobs.Keys("", 10)) == 0 })
	records, err := cluster.ListBlobs(t.Context(), c.cfg.Store)
	if err != nil || len(records) != 0 {
		t.Errorf("records %v, %v", records, err)
	}
	if v, err := cluster.ReadVersions(t.Context(), c.cfg.Store, id); err != nil || len(v.Entries) != 0 {
		t.Errorf("versions %v, %v", v, err)
	}
}

func TestVersionsThatAreKept(t *testing.T) {
	var all []cluster.Version
	add := func(code string, keep int, back int64) (gone []string) {
		v := cluster.Version{Version: int64(len(all) + 1), Code: code, Kept: true}
		now, gone := succeeded(all, v, keep, back)
		all = now.Entries
		return gone
	}
	for i, tt := range []struct {
		code string
		keep int
		back int64
		gone string
	}{
		{"a", 3, 1, "[]"}, {"b", 3, 1, "[]"}, {"c", 3, 1, "[]"}, {"d", 3, 4, "[a]"},
		{"b", 3, 5, "[]"}, {"e", 2, 3, "[d]"}, {"f", 1, 7, "[b c e]"},
	} {
		if gone := fmt.Sprint(add(tt.code, tt.keep, tt.back)); gone != tt.gone {
			t.Errorf("version %d: gone %s, want %s", i+1, gone, tt.gone)
		}
	}
	for range 300 {
		add("g", 5, 0)
	}
	if len(all) != maxVersions {
		t.Errorf("%d versions are told of", len(all))
	}
}

// However much each of them changes, the versions of a topology fit into their record.
func TestVersionsFitIntoTheirRecord(t *testing.T) {
	var all []cluster.Version
	var rows []cluster.ChangeRow
	for i := range maxRows {
		rows = append(rows, cluster.ChangeRow{Kind: "replace", Component: fmt.Sprint("bolt-", i), Text: "files that go along with it are others"})
	}
	store := mem.New()
	defer store.Close()
	term, err := store.Campaign(t.Context(), "a")
	must(t, err)
	for v := range int64(2 * maxVersions) {
		now, _ := succeeded(all, cluster.Version{Version: v, Code: fmt.Sprint(v), Kept: true, Rows: rows}, 5, 0)
		must(t, store.Txn(t.Context(), term.Epoch, cluster.PutVersions("words", now)))
		all = now.Entries
	}
	if len(all) != maxVersions || len(all[maxVersions-1].Rows) != maxRows || len(all[0].Rows) > 0 {
		t.Errorf("%d versions, the newest has %d rows, the oldest %d", len(all), len(all[maxVersions-1].Rows), len(all[0].Rows))
	}
}

func TestApplyKeepsARebalance(t *testing.T) {
	c := start(t, nil)
	c.node("a", 6700, 6701, 6702)
	c.submitWords("words", oneWorker)
	c.rebalance("words", &stormrpc.RebalanceOptions{NumWorkers: ref(int32(2)), NumExecutors: map[string]int32{"count": 4}})
	c.applyWords(oneWorker, wordsWith(withSink), nil)
	top := mustNamed(t, c, "words")
	if top.Workers != 2 || top.Executors["count"] != 4 || len(top.slots()) != 2 {
		t.Errorf("%d workers, executors %v", top.Workers, top.Executors)
	}
	c.applyWords(`{"topology.workers": 3, "topology.acker.executors": 1}`, wordsWith(func(t *stormrpc.StormTopology) {
		withSink(t)
		t.Bolts["count"].Common.ParallelismHint = ref(int32(1))
	}), nil)
	if top = mustNamed(t, c, "words"); top.Workers != 3 || top.Executors["count"] != 1 || len(top.slots()) != 3 {
		t.Errorf("%d workers in %d slots, executors %v", top.Workers, len(top.slots()), top.Executors)
	}
	// A rebalance with a configuration changes the blobs of the version that runs.
	if top = c.rebalance("words", &stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"topology.debug": true}`)}); top.conf["topology.debug"] != true || top.CodeVersion != 3 || top.GraphVersion != 3 {
		t.Errorf("debug %v, code version %d", top.conf["topology.debug"], top.CodeVersion)
	}
	plan, err := c.changes().PlanChange(t.Context(), "words", oneWorker, wordsWith(withSink), nil)
	if err != nil || !strings.Contains(changeText(plan), "topology.debug: true -> false") {
		t.Errorf("%v, %v", plan, err)
	}
}

func TestChangesGoThroughFollowers(t *testing.T) {
	m := startMasters(t, 3, nil)
	follower := m.all[2]
	id := follower.submitWords("words", oneWorker)
	got := follower.applyWords(oneWorker, wordsWith(withSink), nil)
	if !strings.HasPrefix(changeText(got), "1>2 add sink") {
		t.Error(changeText(got))
	}
	if got := m.all[1].versionsText(); got != "1 from 0, 2 from 1 starting" {
		t.Error(got)
	}
	for i, c := range m.all {
		eventually(t, "the new version is everywhere", func() bool {
			user, err := c.client.GetUserTopology(t.Context(), id)
			return err == nil && user.Bolts["sink"] != nil && len(c.blobs.Keys("", 100)) == 6
		})
		if c.blobs.Verify(client.CodeKey(id+"-v2")) != nil {
			t.Errorf("master %d lacks the new version", i)
		}
	}
	// Another leader knows all of it, and can go back.
	m.seats[0].lose()
	eventually(t, "another master leads", func() bool { return m.all[1].lead() == nil || m.all[2].lead() == nil })
	eventually(t, "it can go back", func() bool {
		got, err := m.all[0].changes().RollbackTopology(t.Context(), "words", 1, nil)
		return err == nil && changeText(got) == "2>3 remove sink: is no more"
	})
}

// TestMasterFailoverState: the next leader knows a topology as it was changed, not as it was submitted, has its code and its jar, and can
// go back. (One of the gaps of which worker/gaps_test.go tells.)
func TestMasterFailoverState(t *testing.T) {
	m := startMasters(t, 2, nil)
	leader := m.all[0]
	id := leader.submitWords("words", oneWorker)
	leader.applyWords(oneWorker, wordsWith(withSink), nil)
	m.copied()
	next := m.fail(leader)
	if got := next.versionsText(); got != "1 from 0, 2 from 1 starting" {
		t.Error(got)
	}
	if user, err := next.client.GetUserTopology(t.Context(), id); err != nil || user.Bolts["sink"] == nil {
		t.Errorf("the next leader has the topology %v, %v", user, err)
	}
	keys := next.blobs.Keys("", 100)
	for _, key := range slices.Concat(blobKeys(id), []string{client.CodeKey(id + "-v2")}) {
		if !slices.Contains(keys, key) || next.blobs.Verify(key) != nil {
			t.Errorf("blob %s is not there or damaged", key)
		}
	}
	if got, err := next.changes().RollbackTopology(t.Context(), "words", 1, nil); err != nil || changeText(got) != "2>3 remove sink: is no more" {
		t.Errorf("back to version 1: %v, %v", got, err)
	}
}
