package integration

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// startTrident starts a cluster that runs Java, and a ZooKeeper that the client's topologies name for their transactions.
func startTrident(t *testing.T) (s *storm, dir string) {
	t.Helper()
	e := zktest.New(t, zktest.Config{})
	s, dir = startJava(t)
	host, port, err := net.SplitHostPort(e.Servers[0].Addr())
	if err != nil {
		t.Fatal(err)
	}
	s.options = fmt.Sprintf("transactional.zookeeper.servers=%s,transactional.zookeeper.port=%s", url.QueryEscape(fmt.Sprintf("[%q]", host)), port)
	return s, dir
}

// sentenceWords are the words of each sentence of it.TridentCount, and how often they are in it.
var sentenceWords = map[string]int{"the": 2, "cow": 1, "jumped": 1, "over": 1, "moon": 1}

// counted waits until the function answers each word with its count in n sentences, and checks that this stays so.
func counted(t *testing.T, c *cluster, function string, n int) {
	t.Helper()
	at := fmt.Sprintf("http://127.0.0.1:%d/drpc/%s/", drpcOf(t, c).DRPCHTTP, function)
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("the last answer was %s", last)
		}
	}()
	all := func() bool {
		for word, times := range sentenceWords {
			if _, last = httpAnswer(t, "GET", at+word, ""); last != fmt.Sprintf("[[%d]]", times*n) {
				return false
			}
		}
		return true
	}
	waitFor(t, 3*time.Minute, "the counts of all sentences", all)
	if _, last = httpAnswer(t, "GET", at+"the%20cow%20what", ""); last != fmt.Sprintf("[[%d]]", 3*n) {
		t.Errorf("the sum of two counts and none is %s", last)
	}
	if !all() {
		t.Error("the counts went on")
	}
}

// Trident's word count with each sort of its spouts, from the real client: DRPC answers with exact counts.
func TestJavaTrident(t *testing.T) {
	t.Parallel()
	for _, k := range []struct{ kind, workers string }{{"memory", "1"}, {"memory", "2"}, {"rich", "1"}, {"coordinated", "2"}, {"transactional", "2"}, {"opaque", "2"}} {
		t.Run(k.kind+" "+k.workers, func(t *testing.T) {
			const n = 200
			s, dir := startTrident(t)
			s.must(t, true, "it.TridentCount", "counts", k.kind, dir, "counts", strconv.Itoa(n), k.workers)
			began := time.Now()
			if out, err := execute(t, s.c, "counts", "the"); err != nil || !strings.Contains(out, "[[") {
				t.Errorf("the first answer is %s (%v)", out, err)
			}
			t.Logf("the first answer came %v after the submit", time.Since(began).Round(time.Millisecond))
			counted(t, s.c, "counts", n)
			if k.kind == "rich" {
				waitFor(t, time.Minute, "an ack of every sentence", func() bool { return len(kinds(lines(dir, "acked"))) == n })
			}
			s.must(t, false, command+"KillTopology", "counts", "-w", "0")
		})
	}
	ok(stormClient, "Trident")
}

// kill -9 of the Java process while batches are in the making, which come again, the same ones or larger ones: the counts of states
// that outlive it are exact. It runs beside no other: Trident's attempts may mix where messages time out.
func TestJavaTridentKill(t *testing.T) {
	for _, kind := range []string{"transactional", "opaque"} {
		t.Run(kind, func(t *testing.T) {
			const n = 400
			s, dir := startTrident(t)
			held := []string{"10", "25"} // transactions of some 40
			s.must(t, true, "it.TridentCount", append([]string{"counts", kind, dir, "counts", strconv.Itoa(n), "1"}, held...)...)
			attempts := func(file, transaction string) (n int) {
				for _, l := range lines(dir, file) {
					if strings.HasPrefix(l, transaction+":") {
						n++
					}
				}
				return n
			}
			for _, transaction := range held {
				waitFor(t, 3*time.Minute, "batch "+transaction, func() bool { return attempts("held", transaction) > 0 })
				killJava(t, s.c)
				waitFor(t, 3*time.Minute, "batch "+transaction+" again", func() bool { return attempts("again", transaction) > 0 })
			}
			counted(t, s.c, "counts", n)
			t.Logf("%d batches of a part came again", len(lines(dir, "again")))
			for word, times := range sentenceWords {
				if got := stored(dir, word); got != times*n {
					t.Errorf("the state has %d of %s, want %d", got, word, times*n)
				}
			}
		})
	}
}

// stored reads the count of a word out of the files of it.TridentFiles.
func stored(dir, word string) int {
	for partition := range 4 {
		for _, l := range lines(dir, fmt.Sprintf("state-%d", partition)) {
			if f := strings.Fields(l); f[0] == word {
				n, _ := strconv.Atoi(f[2])
				return n
			}
		}
	}
	return 0
}

// killJava ends the one Java process of a cluster's workers.
func killJava(t *testing.T, c *cluster) {
	t.Helper()
	if err := syscall.Kill(javaProcess(t, c), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A topology of Trident is refused where there is no ZooKeeper, with what to set, and runs on the cluster's own where that is in
// one; its transactions are there then. Without transactions none is needed.
func TestJavaTridentZooKeeper(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	submit := []string{"counts", "transactional", dir, "counts", "100", "1"}
	out, err := s.java(t, true, "it.TridentCount", submit...)
	if err == nil || !strings.Contains(out, "[$mastercoord-bg0] is Trident's coordinator of batches") || !strings.Contains(out, "set transactional.zookeeper.servers") {
		t.Errorf("without a ZooKeeper the submit said (%v)\n%s", err, out)
	}

	e := zktest.New(t, zktest.Config{})
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	text := []string{fmt.Sprintf("storm.zookeeper.servers: [%q]", e.Servers[0].Addr()), `drpc.servers: ["127.0.0.1"]`,
		fmt.Sprintf("drpc.port: %d\ndrpc.invocations.port: %d\ndrpc.http.port: %d", ports[0], ports[1], ports[2])}
	for i := 1; i < len(opts); i += 2 {
		key, value, _ := strings.Cut(opts[i], "=")
		text = append(text, fmt.Sprintf("%s: %q", key, value))
	}
	d := startDaemons(t, 1, text...)
	startDaemon(t, d.dir, append([]string{"drpc"}, d.args...)...)
	s = newStorm(t, d.cluster)
	s.must(t, true, "it.TridentCount", submit...)
	waitFor(t, 3*time.Minute, "the counts of all sentences", func() bool { return stored(dir, "the") == 200 })
	if out, err := d.gearstorm(t, "drpc-client", "--drpc", fmt.Sprintf("127.0.0.1:%d", ports[0]), "counts", "the cow"); err != nil || !strings.Contains(out, "[[300]]") {
		t.Errorf("the answer is %s (%v)", out, err)
	}
	out = d.must(t, "doctor", "counts")
	if !strings.Contains(out, "$mastercoord-bg0") || !strings.Contains(out, "transactional.zookeeper.servers") {
		t.Errorf("doctor says\n%s", out)
	}
	d.must(t, "kill", "counts", "-w", "0")
	waitFor(t, time.Minute, "the end of the worker", func() bool { return len(d.workers(t)) == 0 })
}

// Trident's windows, with their store in memory, joins and sums of batches: each result as often as it should be.
func TestJavaTridentWindows(t *testing.T) {
	t.Parallel()
	const n = 100
	s, dir := startTrident(t)
	s.must(t, true, "it.TridentWindows", "windows", dir, strconv.Itoa(n), "1")
	want := map[string]map[string]int{"tumbling": {"[20]": n / 20}, "sliding": {"[10]": 1, "[20]": 1, "[30]": n/10 - 2}, "joined": {}, "sums": {}}
	for i := range n {
		want["joined"][fmt.Sprintf("[%d, a%d, b%d]", i, i, i)] = 1
	}
	for i := 0; i < n; i += 10 {
		want["sums"][fmt.Sprintf("[%d]", 10*i+45)] = 1
	}
	for file, kindsWanted := range want {
		all := func() bool {
			got := kinds(lines(dir, file))
			if file == "sums" {
				delete(got, "[0]") // of batches without a number
			}
			return maps.Equal(got, kindsWanted)
		}
		waitFor(t, 3*time.Minute, "the results of "+file, all)
	}
}
