package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A bolt whose state is kept in Redis by Storm's own provider, which goes along with the topology: it is counted on after the
// topology was killed and started again.
func TestJavaStateInRedis(t *testing.T) {
	t.Parallel()
	const n, keys = 100, 5
	s, dir := startJava(t)
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	along, err := filepath.Glob(filepath.Join(filepath.Dir(tool(t, "scripts/get-storm-redis.sh", "storm-redis", "storm-redis-2.8.3.jar")), "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	redis := miniredis.RunT(t)
	pool := fmt.Sprintf(`{"jedisPoolConfig":{"host":%q,"port":%s}}`, redis.Host(), redis.Port())
	submit := slices.Concat([]string{"jar", "--jars", strings.Join(along, ","), s.jar, "it.Stateful", "stateful", dir, strconv.Itoa(n),
		"-c", "topology.state.provider=org.apache.storm.redis.state.RedisKeyValueStateProvider",
		"-c", "topology.state.provider.config=" + strconv.Quote(pool)}, opts)
	for round := 1; round <= 2; round++ {
		s.c.must(t, submit...)
		waitFor(t, time.Minute, "an ack of every tuple", func() bool { return len(lines(dir, "acked")) >= round*n })
		done := len(lines(dir, "commits"))
		waitFor(t, time.Minute, "checkpoints of both tasks behind it", func() bool { return len(lines(dir, "commits")) >= done+4 })
		got := kinds(lines(dir, "remember"))
		for k := range keys {
			if want := fmt.Sprintf("k%d %d", k, round*n/keys); got[want] != 1 {
				t.Errorf("round %d: the state did not come to %q: %v", round, want, got)
			}
		}
		s.c.must(t, "kill", "stateful", "-w", "0")
		waitFor(t, 30*time.Second, "its end", func() bool { return !strings.Contains(s.c.must(t, "list"), "stateful") })
	}
	ok(stormClient, "Java state in Redis")
}
