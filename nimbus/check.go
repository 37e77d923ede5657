package nimbus

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// The checks of a submission, each with Storm's text where it has one.

// namePattern is the rule for topology names (Utils.java, TOPOLOGY_NAME_REGEX).
const namePattern = `^[^/.:\\]+$`

var nameRule = regexp.MustCompile(namePattern)

// maxTopologyName bounds names beyond Storm's rule: they become part of file names on the nodes.
const maxTopologyName = 200

func checkName(name string) error {
	if !nameRule.MatchString(name) || len(name) > maxTopologyName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid(`Topology name '%s' is not valid. It can't be null and it must match %s`, name, namePattern)
	}
	return blobName(name)
}

// blobName refuses names of which no blob key can be made.
func blobName(name string) error {
	if err := blobstore.CheckKey(name + "-1-1"); err != nil {
		return invalid(`Topology name '%s' is not valid. It can't be null and it must match %s`, name, namePattern)
	}
	return nil
}

// parseConf reads the configuration of a submission and holds it to the rules of Storm's keys.
func parseConf(text string) (conf.Conf, error) {
	c, err := conf.ParseJSON([]byte(text))
	if err != nil {
		return nil, invalid("topology configuration: %s", err)
	}
	if err := c.ValidateTopology(); err != nil {
		return nil, asInvalid(err)
	}
	return c, nil
}

// checkComponentKeys refuses keys of ours that nobody knows where no other rule looks: in the confs of components.
func checkComponentKeys(t *stormrpc.StormTopology) error {
	for _, c := range components(t) {
		own, err := c.conf()
		if err != nil {
			return asInvalid(err)
		}
		if err := own.CheckOwn(); err != nil {
			return invalid("configuration of component %s: %s", c.id, err)
		}
	}
	return nil
}

// checkStrict is Storm's StrictTopologyValidator: no dots in names.
func checkStrict(name string, t *stormrpc.StormTopology) error {
	if strings.Contains(name, ".") {
		return invalid("Topology name '%s' contains illegal character '.'", name)
	}
	for _, c := range components(t) {
		if strings.Contains(c.id, ".") {
			return invalid("%s name '%s' contains illegal character '.'", c.kind(), c.id)
		}
		for stream := range c.common.Streams {
			if strings.Contains(stream, ".") {
				return invalid("Stream name '%s' contains illegal character '.'", stream)
			}
		}
	}
	return nil
}

func checkValidator(daemon conf.Conf, name string, t *stormrpc.StormTopology) error {
	class, err := daemon.StringOr("nimbus.topology.validator", "")
	if err != nil {
		return err
	}
	if strings.HasSuffix(class, ".StrictTopologyValidator") {
		return checkStrict(name, t)
	}
	return nil
}

func checkSymlinks(daemon, c conf.Conf) error {
	disabled, err := daemon.BoolOr("storm.disable.symlinks", false)
	if err != nil {
		return err
	}
	if keys := blobMap(c); disabled && len(keys) > 0 {
		return invalid("symlinks are disabled so blobs are not supported but topology.blobstore.map = %v", keys)
	}
	return nil
}

// blobMap returns the keys of topology.blobstore.map in order.
func blobMap(c conf.Conf) []string {
	m, _ := c["topology.blobstore.map"].(map[string]any)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// checkHeap refuses a topology with a component that fits into no worker.
func checkHeap(daemon, c conf.Conf, t *stormrpc.StormTopology) error {
	largest := 0.0
	for _, comp := range components(t) {
		r, err := comp.resources(c, daemon)
		if err != nil {
			return asInvalid(err)
		}
		largest = max(largest, r[onHeap])
	}
	def, err := daemon.FloatOr("topology.worker.max.heap.size.mb", 768)
	if err != nil {
		return err
	}
	limit, err := c.FloatOr("topology.worker.max.heap.size.mb", def)
	if err != nil {
		return asInvalid(err)
	}
	if limit < largest {
		return invalid("Topology will not be able to be successfully scheduled: Config TOPOLOGY_WORKER_MAX_HEAP_SIZE_MB=%s < %s (Largest memory requirement of a component in the topology). Perhaps set TOPOLOGY_WORKER_MAX_HEAP_SIZE_MB to a larger amount",
			javaDouble(limit), javaDouble(largest))
	}
	return nil
}

// javaDouble writes a number as Java does for the sizes that occur here.
func javaDouble(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// checkVersion refuses topologies of a Storm whose thrift or whose classes this one does not follow. No version is
// fine: streamparse sends none.
func checkVersion(t *stormrpc.StormTopology, own string) error {
	version := t.GetStormVersion()
	if version == "" {
		return nil
	}
	major, _, _ := strings.Cut(version, ".")
	if major != "1" && major != "2" {
		return invalid("Topology submitted with storm version %s but could not find a configured compatible version to use [%s]", version, own)
	}
	return nil
}

// checkSize holds a topology to the cluster's limits.
func checkSize(daemon, c conf.Conf, t *stormrpc.StormTopology) error {
	workers, err := c.IntOr("topology.workers", 1)
	if err != nil {
		return asInvalid(err)
	}
	executors := int64(0)
	for _, comp := range components(t) {
		executors += comp.parallelism()
	}
	return checkCounts(daemon, workers, executors)
}

// checkCounts holds numbers of workers and executors to the cluster's limits.
func checkCounts(daemon conf.Conf, workers, executors int64) error {
	limit := func(key string, have int64, what string) error {
		if !daemon.Has(key) {
			return nil
		}
		allowed, err := daemon.Int(key)
		if err != nil {
			return err
		}
		if have > allowed {
			return invalid("Failed to submit topology. Topology requests more than %d %s.", allowed, what)
		}
		return nil
	}
	if err := limit("nimbus.slots.perTopology", workers, "workers"); err != nil {
		return err
	}
	return limit("nimbus.executors.perTopology", executors, "executors")
}

// hasZooKeeperAuth tells whether a topology brings the payload that Storm demands where the cluster's ZooKeeper asks
// for authentication.
func hasZooKeeperAuth(daemon, c conf.Conf) bool {
	scheme, _ := daemon.StringOr("storm.zookeeper.auth.scheme", "")
	return scheme == "" || (c.Has("storm.zookeeper.topology.auth.scheme") && c.Has("storm.zookeeper.topology.auth.payload"))
}
