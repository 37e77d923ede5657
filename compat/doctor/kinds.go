package doctor

import (
	"strings"
	"sync"
)

// Kind is what a component or class is to Storm.
type Kind string

// The kinds. Reports list them in the order of the table below.
const (
	ShellSpout          Kind = "shell spout"
	Spout               Kind = "spout"
	ShellBolt           Kind = "shell bolt"
	ShellOverride       Kind = "shell component with methods of its own"
	Bolt                Kind = "bolt"
	BasicBolt           Kind = "basic bolt"
	DRPCSpout           Kind = "DRPC spout"
	DRPCResults         Kind = "DRPC results bolt"
	BatchBolt           Kind = "batch bolt"
	WindowedBolt        Kind = "windowed bolt"
	StatefulBolt        Kind = "stateful bolt"
	StatefulWindowed    Kind = "stateful windowed bolt"
	Lambdas             Kind = "lambda components"
	Streams             Kind = "streams topology"
	Trident             Kind = "Trident topology"
	TridentSpout        Kind = "Trident spout"
	TridentOperation    Kind = "Trident operation"
	TridentState        Kind = "Trident state"
	DRPC                Kind = "DRPC topology"
	PartialKey          Kind = "partial key grouping"
	Grouping            Kind = "grouping"
	StateProvider       Kind = "state provider"
	TaskHook            Kind = "task hook"
	WorkerHook          Kind = "worker hook"
	MetricsConsumer     Kind = "metrics consumer"
	MetricsReporter     Kind = "metrics reporter"
	EventLogger         Kind = "event logger"
	MultilangSerializer Kind = "multilang serializer"
	DaemonPlugin        Kind = "daemon plug-in"
)

// kindRow is what there is to know of a kind. Where it runs is Native if native is set, No if never says why, and else
// what the compiler makes of the topology with what probe puts into it.
type kindRow struct {
	kind   Kind
	native bool
	never  string
	probe  func(*probe)
	note   string
}

// onTrident is what there is to know of Trident.
const onTrident = "its transactions are kept in ZooKeeper: transactional.zookeeper.servers, or the cluster's own where Nimbus has its state in one (storm.zookeeper.servers); without either a submit refuses it"

// kinds is the table behind [Where].
var kinds = []kindRow{
	{kind: ShellSpout, native: true},
	{kind: Spout, probe: spoutOf(probed)},
	{kind: DRPCSpout, probe: named(stormPackage+"drpc.DRPCSpout", true, "function"), note: needsDRPC},
	{kind: ShellBolt, native: true},
	{kind: ShellOverride, probe: boltOf(probed), note: "its methods may change what the stock class does, so that runs in the JVM too: where its child ends, all Java components of the worker start again"},
	{kind: Bolt, probe: boltOf(probed)},
	{kind: DRPCResults, probe: named(stormPackage+"drpc.ReturnResults", false)},
	{kind: BasicBolt, probe: wrapped("org.apache.storm.topology.BasicBoltExecutor", probed)},
	{kind: BatchBolt, probe: boltOf("org.apache.storm.coordination.CoordinatedBolt")},
	{kind: WindowedBolt, probe: wrapped("org.apache.storm.topology.WindowedBoltExecutor", probed)},
	{kind: StatefulBolt, probe: wrapped("org.apache.storm.topology.StatefulBoltExecutor", probed)},
	{kind: StatefulWindowed, probe: wrapped("org.apache.storm.topology.PersistentWindowedBoltExecutor", probed)},
	{kind: Lambdas, probe: boltOf("org.apache.storm.lambda.LambdaBiConsumerBolt")},
	{kind: Streams, probe: boltOf("org.apache.storm.streams.ProcessorBolt")},
	{kind: Trident, probe: boltOf(tridentBolt), note: onTrident},
	{kind: TridentSpout, probe: spoutOf("org.apache.storm.trident.topology.MasterBatchCoordinator"), note: onTrident},
	{kind: TridentOperation, probe: boltOf(tridentBolt)},
	{kind: TridentState, probe: boltOf(tridentBolt)},
	{kind: DRPC, probe: boltOf("org.apache.storm.coordination.CoordinatedBolt"), note: needsDRPC},
	{kind: PartialKey, native: true},
	{kind: Grouping, probe: groupingOf(probed), note: "only for streams of Java components: it is asked where the tuple comes from"},
	{kind: StateProvider, probe: wrapped("org.apache.storm.topology.StatefulBoltExecutor", probed)},
	{kind: TaskHook, probe: boltOf(probed), note: "it is called for components in the JVM, not for native ones"},
	{kind: WorkerHook, probe: func(p *probe) {
		boltOf(probed)(p)
		p.topo.WorkerHooks = [][]byte{javaObject(probed, "")}
	}},
	{kind: MetricsConsumer, note: "it hears the metrics that Java components register, not those of native ones and not Storm's own", probe: func(p *probe) {
		boltOf(probed)(p)
		p.conf["topology.metrics.consumer.register"] = []any{map[string]any{"class": probed}}
	}},
	{kind: MetricsReporter, probe: boltOf(probed), note: "it reports what Java components register; figures of all components go to Prometheus (gearstorm.metrics.port.offset)"},
	{kind: EventLogger, probe: func(p *probe) {
		boltOf(probed)(p)
		p.conf["topology.eventlogger.executors"] = int64(1)
	}},
	{kind: MultilangSerializer, never: "multilang children speak JSON or msgpack here; a class for topology.multilang.serializer is not loaded"},
	{kind: DaemonPlugin, never: "the daemons are no JVMs, so their plug-ins in Java are not loaded"},
}

const needsDRPC = "it needs a DRPC server: drpc.servers"

const tridentBolt = "org.apache.storm.trident.topology.TridentBoltExecutor"

// Why what needs a JVM does not run: all of it is refused, or this in particular, in the compiler's words.
const (
	noHost    = "it needs a JVM, and this release refuses it at submit"
	refusedBy = "a submit refuses it: "
)

// probed is the class of the user's in every probe.
const probed = "user.Class"

// Where tells where something of a kind runs; class is its own, for the reasons. why is set for No, note may say what else
// there is to know.
func Where(k Kind, class string) (v Verdict, why, note string) {
	for _, row := range kinds {
		if row.kind != k {
			continue
		}
		if row.native {
			return Native, "", row.note
		}
		if row.never != "" {
			return No, row.never, ""
		}
		v, why := answers()[k].verdict(class)
		return v, why, row.note
	}
	panic("doctor: no row for kind " + string(k))
}

// verdict says where the probe runs, which stands for something of that class.
func (a answer) verdict(class string) (v Verdict, why string) {
	_, host := javaImpl()
	switch {
	case a.err == nil && a.java:
		return JVM, ""
	case a.err == nil:
		return Native, ""
	case host:
		return No, refusedBy + strings.ReplaceAll(a.err.Error(), probed, class)
	}
	return No, noHost
}

// answers are the compiler's about every kind that it decides.
var answers = sync.OnceValue(func() map[Kind]answer {
	out := map[Kind]answer{}
	for _, row := range kinds {
		if row.probe != nil {
			out[row.kind] = asked(row.probe)
		}
	}
	return out
})

// row is a component of that kind with the verdict of the table. No class is one that has the name.
func row(name, class string, k Kind) Component {
	c := Component{Name: name, Kind: k}
	if class == "" {
		class = name
	} else if class != name {
		c.Class = class
	}
	var note string
	if c.Runs, c.Why, note = Where(k, class); note != "" {
		c.note(note)
	}
	return c
}

func rank(k Kind) int {
	for i, row := range kinds {
		if row.kind == k {
			return i
		}
	}
	return len(kinds)
}
