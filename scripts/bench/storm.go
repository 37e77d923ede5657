package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/testserver"
)

// theirs is the real Storm: ZooKeeper, Nimbus and a supervisor with four slots, from what scripts/get-storm.sh fetched.
type theirs struct {
	cluster
	home string // STORM_HOME
	jars string // the folder that get-storm.sh made
}

// stormWait is how long a daemon of Storm may take until it listens.
const stormWait = 90 * time.Second

// stormYAML is the configuration of daemons and client. Workers get their heap from the topology.
const stormYAML = `storm.zookeeper.servers: ["127.0.0.1"]
storm.zookeeper.port: %d
nimbus.seeds: ["127.0.0.1"]
nimbus.thrift.port: %d
supervisor.thrift.port: %d
supervisor.slots.ports: [%d, %d, %d, %d]
supervisor.memory.capacity.mb: 16384.0
supervisor.cpu.capacity: 400.0
storm.local.hostname: "127.0.0.1"
storm.local.dir: "%s"
storm.log.dir: "%s"
worker.heap.memory.mb: 768
worker.childopts: "-Xmx%%HEAP-MEM%%m -XX:+UseG1GC"
topology.worker.max.heap.size.mb: 2048.0
`

const zooCfg = "tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"

const log4j2 = `<Configuration status="error"><Appenders>
  <Console name="out"><PatternLayout pattern="%d %c{1} [%t] %p %m%n"/></Console>
</Appenders><Loggers><Root level="info"><AppenderRef ref="out"/></Root></Loggers></Configuration>
`

// startTheirs starts Storm with its home below dir. Jars is the folder that get-storm.sh made.
func startTheirs(ctx context.Context, jars, dir string) (*theirs, error) {
	t := &theirs{home: filepath.Join(dir, "storm"), jars: jars}
	ports, err := testserver.FreePorts(7)
	if err != nil {
		return nil, err
	}
	if err := t.furnish(jars, ports); err != nil {
		return nil, fmt.Errorf("make a home for Storm: %w", err)
	}
	t.nimbus = fmt.Sprintf("127.0.0.1:%d", ports[1])
	lib := filepath.Join(t.home, "lib", "*") + ":" + filepath.Join(t.home, "conf")
	zookeeper := []string{"-Xmx192m", "-XX:+UseSerialGC", "-cp", filepath.Join(jars, "zookeeper", "*"),
		"org.apache.zookeeper.server.ZooKeeperServerMain", filepath.Join(t.home, "conf", "zoo.cfg")}
	nimbus := append([]string{"-Xmx384m"}, t.options("-cp", lib, "org.apache.storm.daemon.nimbus.Nimbus")...)
	supervisor := append([]string{"-Xmx192m"}, t.options("-Djava.deserialization.disabled=false", "-cp", lib, "org.apache.storm.daemon.supervisor.Supervisor")...)
	for i, args := range [][]string{zookeeper, nimbus, supervisor} {
		name := []string{"zookeeper", "nimbus", "supervisor"}[i]
		d, err := spawn(exec.Command("java", args...), t.log(name))
		if err != nil {
			return nil, errors.Join(err, t.stop())
		}
		t.daemons, t.parent = append(t.daemons, d), d
		err = until(ctx, stormWait, name+" did not listen", func() bool { return listens(ports[i]) || !d.running() })
		if err == nil && !d.running() {
			err = fmt.Errorf("%s ended: %s", name, tail(t.log(name)))
		}
		if err != nil {
			return nil, errors.Join(err, t.stop())
		}
	}
	return t, nil
}

// furnish makes the home: ZooKeeper's, Nimbus', the supervisor's port and those of four slots are given.
func (t *theirs) furnish(jars string, ports []int) error {
	for _, dir := range []string{"conf", "log4j2", "logs", "local", "zookeeper", "extlib", "extlib-daemon", "external", "bin"} {
		if err := os.MkdirAll(filepath.Join(t.home, dir), 0o700); err != nil {
			return err
		}
	}
	yaml := fmt.Sprintf(stormYAML, ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6],
		filepath.Join(t.home, "local"), filepath.Join(t.home, "logs"))
	files := map[string]string{
		"RELEASE": "2.8.3\n", "log4j2/cluster.xml": log4j2, "log4j2/worker.xml": log4j2, "conf/storm.yaml": yaml,
		"conf/zoo.cfg": fmt.Sprintf(zooCfg, filepath.Join(t.home, "zookeeper"), ports[0]),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(t.home, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, lib := range []string{"lib", "lib-worker"} {
		from, err := filepath.Abs(filepath.Join(jars, lib))
		if err != nil {
			return err
		}
		if _, err := os.Stat(from); err != nil {
			return err
		}
		if err := os.Symlink(from, filepath.Join(t.home, lib)); err != nil {
			return err
		}
	}
	return nil
}

func (t *theirs) log(name string) string { return filepath.Join(t.home, "logs", name+".out") }

// said is from the supervisor's log, which has what workers write.
func (t *theirs) said() string { return tail(t.log("supervisor")) }

// options are what every JVM of Storm gets, before more.
func (t *theirs) options(more ...string) []string {
	return append([]string{"-XX:+UseSerialGC", "-Dstorm.home=" + t.home, "-Dstorm.log.dir=" + filepath.Join(t.home, "logs"), "-Dstorm.conf.file=",
		"-Dlog4j.configurationFile=" + filepath.Join(t.home, "log4j2", "cluster.xml")}, more...)
}

func (t *theirs) submit(ctx context.Context, name string, s shape, c conf.Conf) error {
	return submitBench(ctx, t.client(), c, name, s)
}

func (t *theirs) client() javaClient {
	return javaClient{t.jars, filepath.Join(t.home, "conf"), t.options()}
}

// stormOptions writes c as the client reads it: key=JSON, each value escaped, with commas between.
func stormOptions(c conf.Conf) (string, error) {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(c)) {
		v, err := json.Marshal(c[k])
		if err != nil {
			return "", err
		}
		all = append(all, k+"="+url.QueryEscape(string(v)))
	}
	return strings.Join(all, ","), nil
}

func listens(port int) bool {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
