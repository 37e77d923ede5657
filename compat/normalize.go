package compat

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// HashModeKey holds how fields groupings hash integers: "java" or "value". It is fixed at submit.
const HashModeKey = "gearstorm.hash.mode"

// Submission is what Nimbus knows about a submit beside its arguments.
type Submission struct {
	ID         string // topology id
	Name       string
	Principal  string // local name of the caller, "" when anonymous
	SystemUser string // who owns topologies of anonymous callers
}

// Normalize gives the topology and the whole conf to store for a submit: submitted over cluster (the conf of Nimbus with
// its defaults), with the keys that are Nimbus's to set, and topology.tasks in every component. Both are what [Compile]
// takes. The submitted conf has passed [conf.Conf.ValidateTopology]. Errors are [*InvalidTopology].
func Normalize(cluster, submitted conf.Conf, topo *stormrpc.StormTopology, s Submission) (*stormrpc.StormTopology, conf.Conf, error) {
	if err := validateBasic(topo); err != nil {
		return nil, nil, err
	}
	list, err := components(topo)
	if err != nil {
		return nil, nil, err
	}
	n := normalizer{cluster: cluster, submitted: submitted, out: conf.Merge(cluster, submitted)}
	n.out["storm.id"], n.out["topology.name"] = s.ID, s.Name
	for _, step := range []func() error{
		func() error { return n.serializers(list) }, n.anyOf, n.reporters, n.workerTimeout, n.hashMode,
		func() error { return checkTransactions(list, n.out, submitted) },
	} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	n.forceCluster()
	if err := n.owner(s); err != nil {
		return nil, nil, err
	}
	normalized, err := normalizeTasks(n.out, topo, list)
	return normalized, n.out, err
}

func normalizeTasks(c conf.Conf, topo *stormrpc.StormTopology, list []component) (*stormrpc.StormTopology, error) {
	out := copyTopology(topo)
	for i := range list {
		tasks, err := list[i].tasks(c)
		if err != nil {
			return nil, err
		}
		var common *stormrpc.ComponentCommon
		if list[i].spout {
			common = out.Spouts[list[i].id].Common
		} else {
			common = out.Bolts[list[i].id].Common
		}
		if err := setConf(common, "topology.tasks", tasks); err != nil {
			return nil, fmt.Errorf("normalize component %s: %w", list[i].id, err)
		}
	}
	return out, nil
}

// normalizer makes the conf of Nimbus.normalizeConf.
type normalizer struct {
	cluster, submitted, out conf.Conf
}

// serializers merges the Kryo registrations of all components and the topology into one map, and the decorators into
// one list.
func (n *normalizer) serializers(list []component) error {
	const register, decorate = "topology.kryo.register", "topology.kryo.decorators"
	registered := map[string]any{}
	var decorators []string
	layers := []conf.Conf{}
	for _, c := range list {
		layers = append(layers, c.own)
	}
	for _, c := range append(layers, n.out) {
		if err := addSerializers(registered, c[register]); err != nil {
			return err
		}
		d, err := c.StringList(decorate)
		if err != nil {
			return invalid("%v", err)
		}
		decorators = append(decorators, d...)
	}
	slices.Sort(decorators)
	unique := []any{}
	for _, d := range slices.Compact(decorators) {
		unique = append(unique, d)
	}
	n.out[register], n.out[decorate] = registered, unique
	return nil
}

// addSerializers takes the two forms of a registration: a class alone, or a map from class to serializer.
func addSerializers(into map[string]any, v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		for _, e := range v {
			switch e := e.(type) {
			case string:
				into[e] = nil
			case map[string]any:
				for class, serializer := range e {
					into[class] = serializer
				}
			default:
				return invalid("topology.kryo.register must be a list of class names and maps")
			}
		}
		return nil
	case map[string]any: // already merged
		for class, serializer := range v {
			into[class] = serializer
		}
		return nil
	}
	return invalid("topology.kryo.register must be a list of class names and maps")
}

// anyOf sets the switches that are on when either side has them on.
func (n *normalizer) anyOf() error {
	for _, key := range []string{"storm.messaging.netty.authentication", "topology.worker.nimbus.thrift.client.use.tls"} {
		mine, err := n.submitted.BoolOr(key, false)
		if err != nil {
			return invalid("%v", err)
		}
		cluster, err := n.cluster.BoolOr(key, false)
		if err != nil {
			return fmt.Errorf("read cluster configuration: %w", err)
		}
		n.out[key] = mine || cluster
	}
	n.out["nimbus.thrift.client.use.tls"] = n.out["topology.worker.nimbus.thrift.client.use.tls"]
	return nil
}

// reporters gives a topology without metrics reporters those of the cluster, and every topology the system's.
func (n *normalizer) reporters() error {
	const own, cluster, system = "topology.metrics.reporters", "storm.metrics.reporters", "storm.topology.metrics.system.reporters"
	if _, has := n.out[own]; !has && n.out.Has(cluster) {
		n.out[own] = n.out[cluster]
	}
	if !n.cluster.Has(system) {
		return nil
	}
	mine, ok := n.out[own].([]any)
	theirs, ok2 := n.cluster[system].([]any)
	if n.out.Has(own) && !ok || !ok2 {
		return invalid("%s must be a list", own)
	}
	n.out[own] = append(slices.Clone(mine), theirs...)
	return nil
}

// workerTimeout clips topology.worker.timeout.secs to the cluster's worker.max.timeout.secs.
func (n *normalizer) workerTimeout() error {
	const key = "topology.worker.timeout.secs"
	if !n.out.Has(key) {
		return nil
	}
	want, err := n.out.Int(key)
	if err != nil {
		return invalid("%v", err)
	}
	most, err := n.cluster.IntOr("worker.max.timeout.secs", want)
	if err != nil {
		return fmt.Errorf("read cluster configuration: %w", err)
	}
	if want > most {
		n.out[key] = most
	}
	return nil
}

// hashMode fixes the hash mode: by value unless asked for, since no JVM routes tuples here.
func (n *normalizer) hashMode() error {
	mode, err := hashMode(n.out)
	n.out[HashModeKey] = mode
	return err
}

func hashMode(c conf.Conf) (string, error) {
	mode, err := c.StringOr(HashModeKey, "value")
	if err != nil || mode != "value" && mode != "java" {
		return "", invalid("%s must be java or value", HashModeKey)
	}
	return mode, nil
}

// forceCluster keeps a topology from setting what is the cluster's.
func (n *normalizer) forceCluster() {
	for _, key := range []string{"storm.cgroup.hierarchy.dir", "worker.metrics", "storm.zookeeper.superACL", "storm.workers.artifacts.dir"} {
		if v, has := n.cluster[key]; has {
			n.out[key] = v
		} else {
			delete(n.out, key)
		}
	}
	delete(n.out, "storm.local.hostname") // or every node would call itself by the name of this one
	if scheme, _ := n.cluster.StringOr("storm.zookeeper.auth.scheme", ""); scheme == "" {
		delete(n.out, "storm.zookeeper.topology.auth.scheme")
		delete(n.out, "storm.zookeeper.topology.auth.payload")
	}
	if on, err := n.cluster.BoolOr("storm.topology.classpath.beginning.enabled", false); err != nil || !on {
		delete(n.out, "topology.classpath.beginning")
	}
}

// owner sets who owns the topology, whatever the submitted conf says, and adds the caller to its users.
func (n *normalizer) owner(s Submission) error {
	users, err := n.out.StringList("topology.users")
	if err != nil {
		return invalid("%v", err)
	}
	if s.Principal != "" {
		users = append(users, s.Principal)
	}
	slices.Sort(users)
	list := []any{}
	for _, u := range slices.Compact(users) {
		list = append(list, u)
	}
	user := s.Principal
	if user == "" {
		user = s.SystemUser
	}
	n.out["topology.users"] = list
	n.out["topology.submitter.principal"], n.out["topology.submitter.user"] = s.Principal, user
	return nil
}
