package integration

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/kafkatest"
)

// From Kafka through Python, Java and Go to Kafka, on a cluster of processes of which one of each kind is killed: `make exactly-once` in short.
func TestExactlyOnceFromKafkaToKafka(t *testing.T) {
	t.Parallel()
	const kills = 5
	program(t, "java")
	program(t, "javac")
	program(t, "python3")
	kafkatest.Need(t)
	lib := tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	topology := filepath.Join(t.TempDir(), "exactonce")
	if out, err := run(t, 5*time.Minute, nil, "", "go", "build", "-o", topology, "../scripts/exactonce"); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := run(t, 10*time.Minute, nil, "", topology, "-gearstorm", binary, "-lib", lib, "-kills", fmt.Sprint(kills), "-dir", t.TempDir())
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
	verdict := fmt.Sprintf(`(?m)^exactly-once kills=%d \(worker=1 supervisor=1 nimbus=1 python=1 jvm=1\) seed=\d+ lost=0 duplicated=0 ok$`, kills)
	for _, want := range []string{verdict, `(?m)^exactly-once records=\d+ visible=\d+ wrong=0 checkpoints=\d+ unequal=0 generations=\d+$`, `(?m)^ +\d+ +\d+ +[1-9]\d* +[1-9]\d* equal$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the output does not match %s", want)
		}
	}
}
