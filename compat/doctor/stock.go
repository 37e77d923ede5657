package doctor

import (
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/classfile"
)

const stormPackage = "org.apache.storm."

// stock says what Storm's own types make of the classes that extend or implement them (storm-client 2.8, below
// org.apache.storm). What stands here needs no look at its class file.
var stock = map[string]Kind{
	"spout.ISpout": Spout, "topology.IRichSpout": Spout, "topology.base.BaseRichSpout": Spout, "drpc.DRPCSpout": DRPCSpout,
	"spout.CheckpointSpout": Spout, "lambda.LambdaSpout": Spout, "testing.TestWordSpout": Spout, "testing.FixedTupleSpout": Spout,
	"testing.FeederSpout": Spout, "testing.TestEventLogSpout": Spout, "testing.TestPlannerSpout": Spout,
	"spout.ShellSpout": ShellSpout, "flux.wrappers.spouts.FluxShellSpout": ShellSpout, "testing.PythonShellMetricsSpout": Spout,

	"task.IBolt": Bolt, "topology.IRichBolt": Bolt, "topology.base.BaseRichBolt": Bolt, "topology.base.BaseTickTupleAwareRichBolt": Bolt,
	"coordination.CoordinatedBolt": Bolt, "drpc.JoinResult": Bolt, "drpc.KeyedFairBolt": Bolt,
	"drpc.ReturnResults": DRPCResults, "testing.TestAggregatesCounter": Bolt, "testing.TestEventOrderCheckBolt": Bolt, "testing.TestPlannerBolt": Bolt,
	"topology.CheckpointTupleForwarder": Bolt, "lambda.LambdaBiConsumerBolt": BasicBolt, "lambda.LambdaConsumerBolt": BasicBolt,
	"task.ShellBolt": ShellBolt, "flux.wrappers.bolts.FluxShellBolt": ShellBolt, "testing.PythonShellMetricsBolt": Bolt,

	"topology.IBasicBolt": BasicBolt, "topology.base.BaseBasicBolt": BasicBolt, "drpc.PrepareRequest": BasicBolt, "flux.wrappers.bolts.LogInfoBolt": BasicBolt,
	"testing.TestGlobalCount": Bolt, "testing.TestWordBytesCounter": BasicBolt, "testing.TestWordCounter": BasicBolt, "testing.IdentityBolt": BasicBolt,
	"coordination.IBatchBolt": BatchBolt, "topology.base.BaseBatchBolt": BatchBolt,
	"topology.IWindowedBolt": WindowedBolt, "topology.base.BaseWindowedBolt": WindowedBolt, "bolt.JoinBolt": WindowedBolt,
	"topology.IStatefulBolt": StatefulBolt, "topology.base.BaseStatefulBolt": StatefulBolt,
	"topology.IStatefulWindowedBolt": StatefulWindowed, "topology.base.BaseStatefulWindowedBolt": StatefulWindowed,

	"grouping.CustomStreamGrouping": Grouping, "grouping.LoadAwareCustomStreamGrouping": Grouping, "grouping.PartialKeyGrouping": PartialKey,
	"hooks.ITaskHook": TaskHook, "hooks.BaseTaskHook": TaskHook, "hooks.IWorkerHook": WorkerHook, "hooks.BaseWorkerHook": WorkerHook,
	"metric.api.IMetricsConsumer": MetricsConsumer, "metric.LoggingMetricsConsumer": MetricsConsumer,
	"metrics2.reporters.StormReporter": MetricsReporter, "metrics2.reporters.ScheduledStormReporter": MetricsReporter,
	"metric.IEventLogger": EventLogger, "metric.FileBasedEventLogger": EventLogger,
	"state.StateProvider": StateProvider, "multilang.ISerializer": MultilangSerializer,

	"trident.spout.ITridentSpout": TridentSpout, "trident.spout.IBatchSpout": TridentSpout, "trident.spout.ICommitterTridentSpout": TridentSpout,
	"trident.spout.IPartitionedTridentSpout": TridentSpout, "trident.spout.IOpaquePartitionedTridentSpout": TridentSpout,
	"trident.testing.FixedBatchSpout": TridentSpout, "trident.testing.FeederBatchSpout": TridentSpout,
	"trident.operation.Function": TridentOperation, "trident.operation.Filter": TridentOperation, "trident.operation.Aggregator": TridentOperation,
	"trident.operation.BaseFunction": TridentOperation, "trident.operation.BaseFilter": TridentOperation, "trident.operation.BaseAggregator": TridentOperation,
	"trident.operation.ReducerAggregator": TridentOperation, "trident.operation.CombinerAggregator": TridentOperation,
	"trident.operation.MapFunction": TridentOperation, "trident.operation.FlatMapFunction": TridentOperation, "trident.operation.Consumer": TridentOperation,
	"trident.operation.MultiReducer": TridentOperation, "trident.operation.GroupedMultiReducer": TridentOperation,
	"trident.state.QueryFunction": TridentOperation, "trident.state.BaseQueryFunction": TridentOperation,
	"trident.state.StateUpdater": TridentOperation, "trident.state.BaseStateUpdater": TridentOperation,
	"trident.state.State": TridentState, "trident.state.StateFactory": TridentState, "trident.state.map.IBackingMap": TridentState,
	"trident.state.map.MapState": TridentState, "trident.state.snapshot.Snapshottable": TridentState, "trident.testing.MemoryMapState": TridentState,

	"scheduler.IScheduler": DaemonPlugin, "scheduler.resource.strategies.scheduling.IStrategy": DaemonPlugin,
	"scheduler.resource.strategies.scheduling.BaseResourceAwareStrategy": DaemonPlugin,
	"nimbus.ITopologyValidator": DaemonPlugin, "networktopography.DNSToSwitchMapping": DaemonPlugin,
}

// stockKind looks a class up in the table.
func stockKind(class string) (Kind, bool) {
	name, ok := strings.CutPrefix(class, stormPackage)
	if !ok {
		return "", false
	}
	k, ok := stock[name]
	return k, ok
}

// used are classes of Storm's that become part of a topology as they are, when code makes one.
var used = []string{
	"grouping.PartialKeyGrouping", "bolt.JoinBolt", "drpc.DRPCSpout", "drpc.ReturnResults", "testing.TestWordSpout", "testing.TestWordCounter",
	"testing.TestGlobalCount", "testing.FixedTupleSpout", "testing.IdentityBolt", "trident.testing.FixedBatchSpout", "trident.testing.MemoryMapState",
	"flux.wrappers.bolts.LogInfoBolt",
}

// byName are classes of Storm's that become part of a topology when code names them, as text or by .class.
var byName = []string{"metric.LoggingMetricsConsumer"}

// builders are calls by which code makes a topology, or parts of one, that no class of its own stands for.
var builders = []struct {
	class, method, descriptor string // what the descriptor contains
	kind                      Kind
}{
	{"topology.TopologyBuilder", "setSpout", "Lorg/apache/storm/lambda/", Lambdas},
	{"topology.TopologyBuilder", "setBolt", "Lorg/apache/storm/lambda/", Lambdas},
	{"streams.StreamBuilder", "<init>", "", Streams},
	{"trident.TridentTopology", "<init>", "", Trident},
	{"drpc.LinearDRPCTopologyBuilder", "<init>", "", DRPC},
}

// implied are the kinds that say nothing beside a more special one.
var implied = map[Kind][]Kind{
	ShellSpout:       {Spout},
	ShellBolt:        {Bolt},
	StatefulBolt:     {Bolt},
	StatefulWindowed: {Bolt, WindowedBolt, StatefulBolt},
	WindowedBolt:     {Bolt},
	PartialKey:       {Grouping},
}

// exact are kinds that only Storm's own class is; a subclass of it is what stands behind.
var exact = map[Kind]Kind{DRPCSpout: Spout, DRPCResults: Bolt, PartialKey: Grouping}

// special drops the kinds that others of the list imply.
func special(ks []Kind) []Kind {
	var out []Kind
	for _, k := range ks {
		covered := slices.ContainsFunc(ks, func(other Kind) bool { return slices.Contains(implied[other], k) })
		if !covered && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b Kind) int { return rank(a) - rank(b) })
	return out
}

// clientPackages are those below org.apache.storm that are in Storm's client jars, which every JVM beside a worker has.
// The others are of the daemons, or of modules that a topology has to bring along.
var clientPackages = []string{
	"annotation", "assignments", "blobstore", "bolt", "callback", "cluster", "container", "coordination", "daemon", "dependency", "drpc",
	"executor", "generated", "grouping", "hooks", "lambda", "messaging", "metric", "metrics2", "multilang", "networktopography", "nimbus",
	"pacemaker", "policy", "scheduler", "security", "serialization", "shade", "spout", "state", "stats", "streams", "task", "testing", "thrift",
	"topology", "transactional", "trident", "tuple", "utils", "validation", "windowing", "zookeeper",
}

// serverClasses are in a client package or in org.apache.storm itself, but not in the client's jars.
var serverClasses = []string{"LocalCluster", "LocalDRPC", "Testing", "scheduler.IScheduler", "scheduler.resource.", "nimbus.ITopologyValidator"}

// inClient tells whether a class belongs to Storm's client, by its name alone.
func inClient(class string) bool {
	rest, ok := strings.CutPrefix(class, stormPackage)
	if !ok || slices.ContainsFunc(serverClasses, func(s string) bool { return rest == s || strings.HasSuffix(s, ".") && strings.HasPrefix(rest, s) }) {
		return false
	}
	pkg, _, sub := strings.Cut(rest, ".")
	return !sub || slices.Contains(clientPackages, pkg)
}

// api is something of Storm's or Java's that differs here, or is not here.
type api struct {
	class     string // a package if it ends with a dot
	method    string // "" is any use of the class
	component bool   // it matters in what workers run, not in main classes
	blocks    bool
	text      string
}

var apis = []api{
	{class: "backtype.storm.", blocks: true, text: "it was built for Storm before 1.0 (backtype.storm); build it against org.apache.storm"},
	{class: "storm.trident.", blocks: true, text: "it was built for Storm before 1.0 (storm.trident); build it against org.apache.storm"},
	{class: "org.apache.storm.transactional.", blocks: true, text: "transactional topologies are not in Storm 2 any more; Trident took their place"},
	{class: "org.apache.storm.topology.base.BaseTransactional", blocks: true, text: "transactional topologies are not in Storm 2 any more; Trident took their place"},
	{class: "org.apache.storm.redis.state.", text: "its state is kept in Redis, which has to be reachable from the workers"},
	{class: "org.apache.storm.hbase.state.", text: "its state is kept in HBase, which has to be reachable from the workers"},
	{class: "org.apache.storm.utils.DRPCClient", text: "it calls a DRPC server: drpc.servers"},
	{class: "org.apache.storm.LocalCluster", text: "it can start Storm's own LocalCluster, which is in storm-server and is no part of gearstorm; submit with StormSubmitter"},
	{class: "org.apache.storm.LocalDRPC", text: "it can start Storm's own LocalDRPC, which is in storm-server and is no part of gearstorm"},
	{class: "org.apache.storm.cluster.", text: "it reads what Storm's daemons keep in ZooKeeper; gearstorm keeps other things there, or none"},
	{class: "org.apache.storm.executor.", text: "it uses the inside of Storm's worker (org.apache.storm.executor), which is another one here"},
	{class: "org.apache.storm.daemon.", text: "it uses the inside of Storm's daemons (org.apache.storm.daemon), which are others here"},
	{class: "org.apache.storm.messaging.", text: "it uses Storm's messaging between workers, which is another one here"},
	{class: "java.lang.System", method: "exit", component: true, text: exits},
	{class: "java.lang.Runtime", method: "exit", component: true, text: exits},
	{class: "java.lang.Runtime", method: "halt", component: true, text: exits},
}

const exits = "it may end its JVM (System.exit): all Java components of the worker start again, and what they had in flight is replayed"

// fine are classes that an entry of apis takes in by its package, and that are as in Storm.
var fine = []string{"org.apache.storm.transactional.TransactionAttempt", "org.apache.storm.cluster.DaemonType"}

// usesOf lists what a class uses of apis, by index.
func usesOf(c *classfile.Class) []int {
	classes, texts := notable(c.Classes), notable(c.Texts)
	var out []int
	for i, a := range apis {
		uses := slices.ContainsFunc(classes, a.means) || !a.blocks && slices.ContainsFunc(texts, a.means)
		if a.method != "" {
			uses = slices.ContainsFunc(c.Calls, func(call classfile.Call) bool { return call.Name == a.method && call.Class == a.class })
		}
		if uses {
			out = append(out, i)
		}
	}
	return out
}

// notable keeps the names of classes that can be in apis: few of a library are.
func notable(names []string) []string {
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, stormPackage) || strings.HasPrefix(n, "backtype.storm.") || strings.HasPrefix(n, "storm.trident.") {
			out = append(out, n)
		}
	}
	return out
}

func (a api) means(class string) bool {
	if class == a.class {
		return true
	}
	open := strings.HasSuffix(a.class, ".") || strings.HasSuffix(a.class, "Transactional")
	return open && len(class) > len(a.class) && strings.HasPrefix(class, a.class) && !slices.Contains(fine, class) && !strings.ContainsAny(class, " /")
}

// madeOf lists the kinds of topologies and parts that a class builds without a class of its own for them.
func madeOf(c *classfile.Class) []Kind {
	var out []Kind
	for _, b := range builders {
		calls := slices.ContainsFunc(c.Calls, func(call classfile.Call) bool {
			return call.Class == stormPackage+b.class && call.Name == b.method && strings.Contains(call.Descriptor, b.descriptor)
		})
		if calls && !slices.Contains(out, b.kind) {
			out = append(out, b.kind)
		}
	}
	return out
}

// stockOf lists Storm's own classes that a class makes parts of a topology.
func stockOf(c *classfile.Class) []string {
	var out []string
	for _, call := range c.Calls {
		name, ok := strings.CutPrefix(call.Class, stormPackage)
		if ok && call.Name == "<init>" && call.Class != c.Super && slices.Contains(used, name) {
			out = append(out, call.Class)
		}
	}
	for _, n := range byName {
		if slices.Contains(c.Classes, stormPackage+n) || slices.Contains(c.Texts, stormPackage+n) {
			out = append(out, stormPackage+n)
		}
	}
	return out
}
