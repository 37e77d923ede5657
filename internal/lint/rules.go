package lint

// module is the import path of this repository.
const module = "github.com/gearstorm/gearstorm"

// layers lists packages from the bottom up, by path below the module ("" is the root package). A package may import
// packages of strictly lower layers, and of its own layer what siblings allows.
var layers = [][]string{
	{"internal/budget", "internal/freeport", "internal/gist", "internal/pause", "thrift/stormrpc", "gearcore", "compat/conf", "compat/classfile", "compat/javaser", "supervisor/isolate", "multilang/clients"},
	{"compat/classfile/classfiletest", "thrift/wire", "internal/raced", "internal/seeds", "internal/simnet", "internal/testdisk", "internal/testserver", "internal/transcript", "supervisor/isolate/cgroup", "supervisor/isolate/shim", "gearcore/dag", "gearcore/codec", "gearcore/state", "gearcore/window", "gearcore/connect", "ackers"},
	{"multilang", "multilang/jvmhost", "internal/cluster", "internal/metrics", "internal/cephtest", "internal/hdfstest", "internal/kafkatest", "internal/redistest", "gearcore/connect/connecttest", "gearcore/connect/outbox", "gearcore/connect/file", "nimbus/schedule", "nimbus/blobstore", "worker/transport"},
	{"internal/cluster/embed", "internal/cluster/mem", "internal/cluster/zk", "internal/cluster/zk/zktest", "internal/cluster/clustertest", "gearcore/checkpoint", "gearcore/checkpoint/", "gearcore/clock", "gearcore/stream", "gearcore/connect/kafka", "gearcore/connect/redis", "compat/storm", "compat/storm/stormtest", "nimbus/client", "drpc/invocations"},
	{"gearcore/engine", "compat", "worker/keeper", "supervisor/localizer"},
	{"gearcore/sim", "gearcore/stream/streamtest", "compat/flux", "internal/chaos", "internal/exact"},
	{"internal/dynamic", "nimbus", "supervisor", "worker", "ui", "drpc", "compat/connectors", "compat/doctor"},
	{"", "internal/clustersim"},
	{"cmd/", "examples/"},
}

// siblings are imports allowed inside one layer.
var siblings = map[string][]string{
	"gearcore/state":               {"gearcore/codec"},
	"compat/javaser":               {"compat/classfile"},
	"internal/cluster/clustertest": {"internal/cluster/embed", "internal/cluster/mem"},
	"compat/storm":                 {"gearcore/stream"},
	"supervisor/localizer":         {"compat"},
	"compat/storm/stormtest":       {"compat/storm"},
	"compat/doctor":                {"compat/connectors"},

	"gearcore/checkpoint/dir":       {"gearcore/checkpoint"},
	"gearcore/checkpoint/storetest": {"gearcore/checkpoint"},
	"gearcore/checkpoint/s3":        {"gearcore/checkpoint"},
	"gearcore/checkpoint/webhdfs":   {"gearcore/checkpoint"},
	"gearcore/checkpoint/stores":    {"gearcore/checkpoint", "gearcore/checkpoint/dir", "gearcore/checkpoint/s3", "gearcore/checkpoint/webhdfs"},
	"gearcore/clock":                {"gearcore/checkpoint"},
}

// apart are packages that never import each other, nor anything below the other: their only door is nimbus/client.
var apart = []string{"nimbus", "supervisor", "worker", "ui", "drpc"}

// shared are packages below one of apart that others may use.
var shared = map[string]bool{"nimbus/client": true, "supervisor/isolate": true, "drpc/invocations": true}

// homes says which packages (prefixes below the module) may import a named library.
var homes = map[string][]string{
	"github.com/minio/minio-go/v7":        {"gearcore/checkpoint/s3", "internal/cephtest"},
	"github.com/apache/thrift":            {"thrift/wire", "thrift/stormrpc"},
	"github.com/go-zookeeper/zk":          {"internal/cluster/zk"},
	"github.com/redis/go-redis":           {"gearcore/connect/redis", "scripts/bench"},
	"github.com/twmb/franz-go":            {"gearcore/connect/kafka", "internal/kafkatest", "scripts/bench", "scripts/exactonce"},
	"go.etcd.io/bbolt":                    {"internal/cluster/embed"},
	"github.com/vmihailenco/msgpack":      {"multilang"},
	"github.com/cockroachdb/pebble":       {"gearcore/state"},
	"github.com/shirou/gopsutil":          {"supervisor/isolate", "ui"},
	"github.com/urfave/cli":               {"cmd/"},
	"github.com/prometheus/client_golang": {"internal/metrics"},
	"github.com/anishathalye/porcupine":   {"internal/cluster/clustertest", "integration"},
	"github.com/opencontainers/cgroups":   {"supervisor/isolate/cgroup"},
	"github.com/landlock-lsm/go-landlock": {"supervisor/isolate/shim"},
	"github.com/elastic/go-seccomp-bpf":   {"supervisor/isolate/shim"},
	"github.com/vishvananda/netlink":      {"internal/chaos", "internal/exact"},
	"github.com/vishvananda/netns":        {"internal/chaos", "internal/exact"},
	"github.com/hanwen/go-fuse/v2":        {"integration"},
	"github.com/pavlo-v-chernykh":         {"drpc"},
	"software.sslmate.com/src/go-pkcs12":  {"drpc"},
}

// banned are imports that packages below a prefix may not have, directly or through others of this module.
var banned = map[string][]string{
	"gearcore":  {"github.com/apache/thrift", "github.com/go-zookeeper/zk", module + "/thrift", module + "/compat", module + "/nimbus", module + "/supervisor", module + "/worker"},
	"ackers":    {"github.com/apache/thrift", module + "/thrift", module + "/compat", module + "/nimbus", module + "/supervisor", module + "/worker"},
	"multilang": {"github.com/apache/thrift", module + "/thrift", module + "/compat", module + "/nimbus", module + "/supervisor", module + "/worker"},
}

// pure packages import none of impure and never read the clock: time comes in as a value.
var pure = []string{"compat/classfile", "gearcore/dag", "gearcore/clock", "gearcore/codec", "gearcore/window", "ackers", "nimbus/schedule"}

// impure is what a pure package does without.
var impure = []string{"net", "os", "log/slog", "log"}
