package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func simulateJSON(t *testing.T, args ...string) simulation {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(t.Context(), append([]string{"gearstorm", "simulate", "-o", "json"}, args...), &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	var out simulation
	if err := json.Unmarshal([]byte(stdout.String()), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSimulate(t *testing.T) {
	for _, scheduler := range []string{"even", "org.apache.storm.scheduler.resource.ResourceAwareScheduler"} {
		out := simulateJSON(t, "--supervisors", "20", "--executors", "1003", "--topologies", "7", "--scheduler", scheduler)
		if out.Supervisors != 20 || out.Slots != 80 || out.Topologies != 7 || out.Executors != 1003 || out.Full.Placed != 1003 || len(out.Waiting) != 0 {
			t.Errorf("%s: %+v", scheduler, out)
		}
		if out.Lost.Supervisor == "" || out.Lost.Placed != 1003 || out.Lost.Moved != 0 || out.Lost.WereThere == 0 {
			t.Errorf("%s: %+v", scheduler, out.Lost)
		}
		if s := out.Spread["executors_per_worker"]; s.Min < 1 || s.Median < s.Min || s.Max < s.Median {
			t.Errorf("%s: spread %+v", scheduler, s)
		}
		again := simulateJSON(t, "--supervisors", "20", "--executors", "1003", "--topologies", "7", "--scheduler", scheduler)
		if again.Lost.Supervisor != out.Lost.Supervisor || again.Spread["cpu_percent"] != out.Spread["cpu_percent"] {
			t.Errorf("%s: the same seed made up another cluster", scheduler)
		}
	}
}

func TestSimulateFile(t *testing.T) {
	out := simulateJSON(t, "--file", "../../examples/simulate/cluster.yaml")
	if out.Scheduler != "resource-aware" || out.Supervisors != 8 || out.Slots != 40 || out.Topologies != 4 || out.Executors != 88 || out.Full.Placed != 88 {
		t.Errorf("%+v", out)
	}
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"gearstorm", "simulate", "--file", "../../examples/simulate/cluster.yaml"}, &stdout, &stderr); code != 0 ||
		!strings.Contains(stdout.String(), "88 of 88 executors, in ") || !strings.Contains(stdout.String(), "executors a supervisor") {
		t.Errorf("exit %d: %s%s", code, stdout.String(), stderr.String())
	}
}

func TestSimulateRefuses(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const node = "supervisors: [{id: a, slots: 1}]\n"
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no supervisors":     {[]string{"--supervisors", "0"}, 2, "--supervisors 0: want 1 to 100000"},
		"topologies":         {[]string{"--executors", "5"}, 2, "--topologies 100: want 1 to the number of executors"},
		"unknown scheduler":  {[]string{"--scheduler", "com.example.Mine"}, 2, "scheduler com.example.Mine is not known here"},
		"file and numbers":   {[]string{"--file", "x", "--executors", "5"}, 2, "--executors and --file exclude each other"},
		"argument":           {[]string{"x"}, 2, "simulate takes options only"},
		"no file":            {[]string{"--file", "missing"}, 1, "open missing"},
		"unknown key":        {[]string{"--file", file("supervisers: []\n")}, 1, "field supervisers not found"},
		"nothing to place":   {[]string{"--file", file(node)}, 1, "want at least one supervisor and one executor"},
		"two of a name":      {[]string{"--file", file("supervisors: [{id: a, slots: 1}, {id: a, slots: 1}]\n")}, 1, "there are two supervisors a"},
		"too many executors": {[]string{"--file", file(node + "topologies: [{name: t, count: 9000000, components: [{id: c, executors: 9}]}]\n")}, 1, "at most 10000000 executors in all"},
		"negative":           {[]string{"--file", file("supervisors: [{id: a, slots: -1}]\n")}, 1, `supervisor 1 ("a"): want an id`},
		"not a number":       {[]string{"--file", file(node + "topologies: [{name: t, components: [{id: c, executors: 9, cpu: .nan}]}]\n")}, 1, `component "c" of topology t: want`},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), append([]string{"gearstorm", "simulate"}, c.args...), &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit %d, %s; want %d, %s", name, code, stderr.String(), c.code, c.want)
		}
	}
}
