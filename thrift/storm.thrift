// The interface between gearstorm and its clients, in the words of Apache Storm 2.8: services, structs, field names, ids,
// types, defaults and requiredness are Storm's, so that its clients, streamparse and the stock UI work unchanged. The
// last part, the service Gearstorm, is our own.
//
// Go code is generated into stormrpc by scripts/gen-thrift.sh and committed. Never reuse a retired id or method name.

namespace go stormrpc

// ---- Topologies ----

// The value of a choice that carries no data.
struct NullStruct {
}

// One constructor argument of a JavaObject.
union JavaObjectArg {
  1: i32 int_arg;
  2: i64 long_arg;
  3: string string_arg;
  4: bool bool_arg;
  5: binary binary_arg;
  6: double double_arg;
}

// A Java object named by class and constructor arguments. gearstorm keeps its Go components in one too, under a
// reserved class name.
struct JavaObject {
  1: required string full_class_name;
  2: required list<JavaObjectArg> args_list;
}

// A multilang child: the command and its argument. Both fields have default requiredness.
struct ShellComponent {
  1: string execution_command;
  2: string script;
}

// What a component runs. serialized_java is a Java serialization stream, also for subclasses of ShellBolt and ShellSpout.
union ComponentObject {
  1: binary serialized_java;
  2: ShellComponent shell;
  3: JavaObject java_object;
}

// A stream of a component. Used as a map key: equal by value.
struct GlobalStreamId {
  1: required string componentId;
  2: required string streamId;
}

// How tuples of a stream are divided among the tasks of the subscriber. An empty fields list means global grouping.
union Grouping {
  1: list<string> fields;
  2: NullStruct shuffle;
  3: NullStruct all;
  4: NullStruct none;
  5: NullStruct direct;
  6: JavaObject custom_object;
  7: binary custom_serialized;
  8: NullStruct local_or_shuffle;
}

struct StreamInfo {
  1: required list<string> output_fields;
  2: required bool direct;
}

struct ComponentCommon {
  1: required map<GlobalStreamId, Grouping> inputs;
  2: required map<string, StreamInfo> streams;
  3: optional i32 parallelism_hint;
  4: optional string json_conf;
}

struct SpoutSpec {
  1: required ComponentObject spout_object;
  2: required ComponentCommon common;
}

struct Bolt {
  1: required ComponentObject bolt_object;
  2: required ComponentCommon common;
}

// Never implemented by Storm; the map of them is empty in practice but must be present.
struct StateSpoutSpec {
  1: required ComponentObject state_spout_object;
  2: required ComponentCommon common;
}

// Memory (MB) shared by several components, for resource-aware scheduling.
struct SharedMemory {
  1: required string name;
  2: optional double on_heap;
  3: optional double off_heap_worker;
  4: optional double off_heap_node;
}

// A topology as submitted. Ids are unique across the three component maps.
struct StormTopology {
  1: required map<string, SpoutSpec> spouts;
  2: required map<string, Bolt> bolts;
  3: required map<string, StateSpoutSpec> state_spouts;
  4: optional list<binary> worker_hooks;
  5: optional list<string> dependency_jars;
  6: optional list<string> dependency_artifacts;
  7: optional string storm_version;
  8: optional string jdk_version;
  9: optional map<string, set<string>> component_to_shared_memory;
  10: optional map<string, SharedMemory> shared_memory;
}

// Secrets handed to the tasks of a topology; never logged, never shown.
struct Credentials {
  1: required map<string, string> creds;
  2: optional string topoOwner;
}

enum TopologyInitialStatus {
  ACTIVE = 1,
  INACTIVE = 2,
}

struct SubmitOptions {
  1: required TopologyInitialStatus initial_status;
  2: optional Credentials creds;
}

// ---- Exceptions. Callers tell cases apart by type and, for lack of codes, by msg ----

exception AlreadyAliveException {
  1: required string msg;
}

exception NotAliveException {
  1: required string msg;
}

exception AuthorizationException {
  1: required string msg;
}

exception InvalidTopologyException {
  1: required string msg;
}

exception KeyNotFoundException {
  1: required string msg;
}

exception KeyAlreadyExistsException {
  1: required string msg;
}

exception IllegalStateException {
  1: required string msg;
}

// ---- Blobs ----

enum AccessControlType {
  OTHER = 1,
  USER = 2,
}

// access is a bit set: 1 read, 2 write, 4 admin. name is absent or empty for OTHER.
struct AccessControl {
  1: required AccessControlType type;
  2: optional string name;
  3: required i32 access;
}

struct SettableBlobMeta {
  1: required list<AccessControl> acl;
  2: optional i32 replication_factor;
}

// version differs whenever the data differs; nothing else about it is promised.
struct ReadableBlobMeta {
  1: required SettableBlobMeta settable;
  2: required i64 version;
}

// An empty keys list ends the listing.
struct ListBlobsResult {
  1: required list<string> keys;
  2: required string session;
}

struct BeginDownloadResult {
  1: required i64 version;
  2: required string session;
  3: optional i64 data_size;
}

// ---- Executors and their statistics ----

// The first and last task of an executor, both included. Used as a map key: equal by value.
struct ExecutorInfo {
  1: required i32 task_start;
  2: required i32 task_end;
}

// Outer keys are windows: "600", "10800", "86400", ":all-time".
struct BoltStats {
  1: required map<string, map<GlobalStreamId, i64>> acked;
  2: required map<string, map<GlobalStreamId, i64>> failed;
  3: required map<string, map<GlobalStreamId, double>> process_ms_avg;
  4: required map<string, map<GlobalStreamId, i64>> executed;
  5: required map<string, map<GlobalStreamId, double>> execute_ms_avg;
}

// Outer keys are windows, inner keys are stream ids.
struct SpoutStats {
  1: required map<string, map<string, i64>> acked;
  2: required map<string, map<string, i64>> failed;
  3: required map<string, map<string, double>> complete_ms_avg;
}

union ExecutorSpecificStats {
  1: BoltStats bolt;
  2: SpoutStats spout;
}

// rate is the sampling rate the counters were scaled back by.
// Ours: durations in base-2 exponential buckets, as in OpenTelemetry. Bucket i, from offset on, holds what is above
// 2^(i/2^scale) nanoseconds, up to the bound of the next; counts are unsigned varints, one a bucket.
struct Distribution {
  1: required i32 scale;
  2: required i32 offset;
  3: required binary counts;
  4: required double sum_ms;
}

// Ours: an executor waited for room in the inboxes of a component.
struct ThrottledBy {
  1: required string component;
  2: required i32 task;  // the one it waited for longest, 0: not known yet
  3: required i64 total_ms;  // since the start
  4: required double share;  // of about the last five seconds, 0 to 1
  5: required bool now;
}

// Ours: what Storm's statistics have no place for. Distributions are of the last five to ten minutes.
struct ExecutorTimes {
  1: optional Distribution complete;  // complete latency of a spout
  2: optional Distribution process;  // process latency of a bolt
  3: optional Distribution queue;  // in the inbox
  4: optional list<ThrottledBy> throttled_by;
}

// Id 100 is ours; Storm's clients skip it.
struct ExecutorStats {
  1: required map<string, map<string, i64>> emitted;
  2: required map<string, map<string, i64>> transferred;
  3: required ExecutorSpecificStats specific;
  4: required double rate;
  100: optional ExecutorTimes times;
}

// Id 6 is retired.
struct ExecutorSummary {
  1: required ExecutorInfo executor_info;
  2: required string component_id;
  3: required string host;
  4: required i32 port;
  5: required i32 uptime_secs;
  7: optional ExecutorStats stats;
}

struct ErrorInfo {
  1: required string error;
  2: required i32 error_time_secs;
  3: optional string host;
  4: optional i32 port;
}

struct DebugOptions {
  1: optional bool enable;
  2: optional double samplingpct;
}

// ---- Summaries: clients check required fields and the stock UI reads several optional ones without asking ----

// host must be a name that clients can reach: they dial it when it is not textually the seed they used.
struct NimbusSummary {
  1: required string host;
  2: required i32 port;
  3: required i32 uptime_secs;
  4: required bool isLeader;
  5: required string version;
  6: optional i32 tlsPort;
}

struct SupervisorSummary {
  1: required string host;
  2: required i32 uptime_secs;
  3: required i32 num_workers;
  4: required i32 num_used_workers;
  5: required string supervisor_id;
  6: optional string version = "VERSION_NOT_PROVIDED";
  7: optional map<string, double> total_resources;
  8: optional double used_mem;
  9: optional double used_cpu;
  10: optional double fragmented_mem;
  11: optional double fragmented_cpu;
  12: optional bool blacklisted;
  13: optional map<string, double> used_generic_resources;
  // Ours; Storm's clients skip them.
  100: optional string unhealthy;  // what the health checks found wrong
  101: optional string isolation;  // how workers are isolated there
  102: optional i32 silent_secs;  // since its last report
}

// Ids from 513 up are figures added for the UI.
struct TopologySummary {
  1: required string id;
  2: required string name;
  3: required i32 num_tasks;
  4: required i32 num_executors;
  5: required i32 num_workers;
  6: required i32 uptime_secs;
  7: required string status;
  8: optional string storm_version;
  9: optional string topology_version;
  513: optional string sched_status;
  514: optional string owner;
  515: optional i32 replication_count;
  521: optional double requested_memonheap;
  522: optional double requested_memoffheap;
  523: optional double requested_cpu;
  524: optional double assigned_memonheap;
  525: optional double assigned_memoffheap;
  526: optional double assigned_cpu;
  527: optional map<string, double> requested_generic_resources;
  528: optional map<string, double> assigned_generic_resources;
}

// Id 2 is retired.
struct ClusterSummary {
  1: required list<SupervisorSummary> supervisors;
  3: required list<TopologySummary> topologies;
  4: required list<NimbusSummary> nimbuses;
}

enum NumErrorsChoice {
  ALL = 0,
  NONE = 1,
  ONE = 2,
}

struct GetInfoOptions {
  1: optional NumErrorsChoice num_err_choice;
}

// Ours: the link by which one worker of a topology sends to another.
struct WorkerLink {
  1: required string peer;  // host:port of the receiving worker
  2: required string over;  // ring, unix or tcp; empty while it is down
  3: optional string host;  // of the sending worker; not in its own report
  4: optional i32 port;
}

// Ours: the event time of a component. Times are milliseconds since 1970; 0: not known yet, 2^63-2: idle, 2^63-1: the end.
struct ComponentClock {
  1: required string component;
  2: required i64 watermark_ms;  // the lowest of its tasks' inputs; a spout's own
  3: required i64 out_ms;  // what it passes on
  4: required i32 task;  // one that is at watermark_ms
  5: optional list<i32> stuck;  // tasks that do not get on though their input does
}

// Ours: what one component has in a checkpoint.
struct CheckpointPart {
  1: required string component;
  2: required bool source;
  3: required i32 tasks;
  4: required i64 watermark_ms;
  5: required i64 bytes;
  6: optional list<string> notes;  // what its tasks say of theirs
}

// Ours: a checkpoint.
struct CheckpointSummary {
  1: required i64 epoch;
  2: required i64 begun_ms;
  3: optional i64 took_ms;  // absent: under way
  4: optional string failed;  // why it was given up
  5: optional string waiting;  // what it waits for, while it is under way
  6: optional i64 bytes;
  7: optional i64 watermark_ms;
  8: optional list<CheckpointPart> parts;
}

// Ours: a checkpoint that is kept by name.
struct Savepoint {
  1: required string name;
  2: required i64 epoch;
  3: required i64 time_ms;
  4: required i64 bytes;
  5: required i64 watermark_ms;
  6: required string topology;  // id of the one that it is of
}

struct SavepointRequest {
  1: required i64 id;
  2: required string name;
  3: required bool remove;  // else: keep the next checkpoint by this name
}

struct SavepointAnswer {
  1: required i64 id;
  2: optional string error;
  3: optional Savepoint savepoint;
}

// Ours: the time and the checkpoints of a topology, as the worker with its __clock knows them.
struct TopologyTiming {
  1: required i64 generation;
  2: required string state;  // restoring, running, or why it cannot go on
  3: required i64 watermark_ms;
  4: required list<ComponentClock> clocks;
  5: optional string stalled;  // which task everything waits for
  6: optional i64 interval_ms;  // of checkpoints; absent: none are made
  7: optional string store;
  8: optional list<CheckpointSummary> checkpoints;  // newest first
  9: optional list<Savepoint> savepoints;
  10: optional list<SavepointAnswer> answers;  // to the latest requests
  11: optional bool going_back;  // to a checkpoint, or a new version takes up its state from one, or it waits before it does
  12: optional i64 dag_version;  // of the graph by which all tasks are at work; absent: some are not
}

// Ours: what a worker process and all it started use.
struct WorkerUsage {
  1: required i64 memory_bytes;  // no page cache
  2: required i64 memory_limit_bytes;  // 0: none
  3: required i64 cpu_us;  // since its start
  4: required i64 throttled_us;  // how long the cap on its processor time stopped it
}

// Ours: a worker as its supervisor sees it.
struct WorkerState {
  1: required string topology_id;
  2: required string host;
  3: required i32 port;
  4: optional string worker_id;  // absent while none has reported
  5: optional i32 uptime_secs;
  6: optional bool ready;
  7: optional i32 restarts;  // of the slot since it took the topology up
  8: optional string last_exit;  // how the worker before this one ended
  9: optional string suspect;  // why its supervisor doubts that it works
  10: optional WorkerUsage usage;
}

// Ids 100 and 101 are ours; Storm's clients skip them.
struct TopologyInfo {
  1: required string id;
  2: required string name;
  3: required i32 uptime_secs;
  4: required list<ExecutorSummary> executors;
  5: required string status;
  6: required map<string, list<ErrorInfo>> errors;
  7: optional map<string, DebugOptions> component_debug;
  8: optional string storm_version;
  100: optional list<WorkerLink> links;
  101: optional list<WorkerState> workers;
  102: optional TopologyTiming timing;
  513: optional string sched_status;
  514: optional string owner;
  515: optional i32 replication_count;
  521: optional double requested_memonheap;
  522: optional double requested_memoffheap;
  523: optional double requested_cpu;
  524: optional double assigned_memonheap;
  525: optional double assigned_memoffheap;
  526: optional double assigned_cpu;
}

struct TopologyHistoryInfo {
  1: list<string> topo_ids;
}

struct OwnerResourceSummary {
  1: required string owner;
  2: optional i32 total_topologies;
  3: optional i32 total_executors;
  4: optional i32 total_workers;
  5: optional double memory_usage;
  6: optional double cpu_usage;
  7: optional double memory_guarantee;
  8: optional double cpu_guarantee;
  9: optional double memory_guarantee_remaining;
  10: optional double cpu_guarantee_remaining;
  11: optional i32 isolated_node_guarantee;
  12: optional i32 total_tasks;
  13: optional double requested_on_heap_memory;
  14: optional double requested_off_heap_memory;
  15: optional double requested_total_memory;
  16: optional double requested_cpu;
  17: optional double assigned_on_heap_memory;
  18: optional double assigned_off_heap_memory;
}

// ---- Pages of the UI ----

enum ComponentType {
  BOLT = 1,
  SPOUT = 2,
}

struct CommonAggregateStats {
  1: optional i32 num_executors;
  2: optional i32 num_tasks;
  3: optional i64 emitted;
  4: optional i64 transferred;
  5: optional i64 acked;
  6: optional i64 failed;
  7: optional map<string, double> resources_map;
}

struct SpoutAggregateStats {
  1: optional double complete_latency_ms;
}

struct BoltAggregateStats {
  1: optional double execute_latency_ms;
  2: optional double process_latency_ms;
  3: optional i64 executed;
  4: optional double capacity;
}

union SpecificAggregateStats {
  1: BoltAggregateStats bolt;
  2: SpoutAggregateStats spout;
}

struct ComponentAggregateStats {
  1: optional ComponentType type;
  2: optional CommonAggregateStats common_stats;
  3: optional SpecificAggregateStats specific_stats;
  4: optional ErrorInfo last_error;
}

struct TopologyStats {
  1: optional map<string, i64> window_to_emitted;
  2: optional map<string, i64> window_to_transferred;
  3: optional map<string, double> window_to_complete_latencies_ms;
  4: optional map<string, i64> window_to_acked;
  5: optional map<string, i64> window_to_failed;
}

struct WorkerSummary {
  1: optional string supervisor_id;
  2: optional string host;
  3: optional i32 port;
  4: optional string topology_id;
  5: optional string topology_name;
  6: optional i32 num_executors;
  7: optional map<string, i64> component_to_num_tasks;
  8: optional i32 time_secs;
  9: optional i32 uptime_secs;
  521: optional double requested_memonheap;
  522: optional double requested_memoffheap;
  523: optional double requested_cpu;
  524: optional double assigned_memonheap;
  525: optional double assigned_memoffheap;
  526: optional double assigned_cpu;
  527: optional string owner;
}

// Id 100 is ours.
struct SupervisorPageInfo {
  1: optional list<SupervisorSummary> supervisor_summaries;
  2: optional list<WorkerSummary> worker_summaries;
  100: optional list<WorkerState> states;
}

struct TopologyPageInfo {
  1: required string id;
  2: optional string name;
  3: optional i32 uptime_secs;
  4: optional string status;
  5: optional i32 num_tasks;
  6: optional i32 num_workers;
  7: optional i32 num_executors;
  8: optional string topology_conf;
  9: optional map<string, ComponentAggregateStats> id_to_spout_agg_stats;
  10: optional map<string, ComponentAggregateStats> id_to_bolt_agg_stats;
  11: optional string sched_status;
  12: optional TopologyStats topology_stats;
  13: optional string owner;
  14: optional DebugOptions debug_options;
  15: optional i32 replication_count;
  16: optional list<WorkerSummary> workers;
  17: optional string storm_version;
  18: optional string topology_version;
  521: optional double requested_memonheap;
  522: optional double requested_memoffheap;
  523: optional double requested_cpu;
  524: optional double assigned_memonheap;
  525: optional double assigned_memoffheap;
  526: optional double assigned_cpu;
  527: optional double requested_regular_on_heap_memory;
  528: optional double requested_shared_on_heap_memory;
  529: optional double requested_regular_off_heap_memory;
  530: optional double requested_shared_off_heap_memory;
  531: optional double assigned_regular_on_heap_memory;
  532: optional double assigned_shared_on_heap_memory;
  533: optional double assigned_regular_off_heap_memory;
  534: optional double assigned_shared_off_heap_memory;
  535: optional map<string, double> requested_generic_resources;
  536: optional map<string, double> assigned_generic_resources;
}

struct ExecutorAggregateStats {
  1: optional ExecutorSummary exec_summary;
  2: optional ComponentAggregateStats stats;
}

struct ComponentPageInfo {
  1: required string component_id;
  2: required ComponentType component_type;
  3: optional string topology_id;
  4: optional string topology_name;
  5: optional i32 num_executors;
  6: optional i32 num_tasks;
  7: optional map<string, ComponentAggregateStats> window_to_stats;
  8: optional map<GlobalStreamId, ComponentAggregateStats> gsid_to_input_stats;
  9: optional map<string, ComponentAggregateStats> sid_to_output_stats;
  10: optional list<ExecutorAggregateStats> exec_stats;
  11: optional list<ErrorInfo> errors;
  12: optional string eventlog_host;
  13: optional i32 eventlog_port;
  14: optional DebugOptions debug_options;
  15: optional string topology_status;
  16: optional map<string, double> resources_map;
}

// ---- What is scheduled ----

// A supervisor and a set of its ports, in practice one. Used as a map key.
struct NodeInfo {
  1: required string node;
  2: required set<i64> port;
}

// Memory in MB, CPU in percent of a core. The shared_ figures are for accounting, mem_on_heap and mem_off_heap are
// what is enforced.
struct WorkerResources {
  1: optional double mem_on_heap;
  2: optional double mem_off_heap;
  3: optional double cpu;
  4: optional double shared_mem_on_heap;
  5: optional double shared_mem_off_heap;
  6: optional map<string, double> resources;
  7: optional map<string, double> shared_resources;
}

// Where the executors of a topology run. Executors are lists of two numbers here: first and last task.
struct Assignment {
  1: required string master_code_dir;
  2: optional map<string, string> node_host = {};
  3: optional map<list<i64>, NodeInfo> executor_node_port = {};
  4: optional map<list<i64>, i64> executor_start_time_secs = {};
  5: optional map<NodeInfo, WorkerResources> worker_resources = {};
  6: optional map<string, double> total_shared_off_heap = {};
  7: optional string owner;
}

struct SupervisorAssignments {
  1: optional map<string, Assignment> storm_assignment = {};
}

struct SupervisorInfo {
  1: required i64 time_secs;
  2: required string hostname;
  3: optional string assignment_id;
  4: optional list<i64> used_ports;
  5: optional list<i64> meta;
  6: optional map<string, string> scheduler_meta;
  7: optional i64 uptime_secs;
  8: optional string version;
  9: optional map<string, double> resources_map;
  10: optional i32 server_port;
}

enum TopologyStatus {
  ACTIVE = 1,
  INACTIVE = 2,
  REBALANCING = 3,
  KILLED = 4,
}

struct KillOptions {
  1: optional i32 wait_secs;
}

// principal is set by Nimbus; what a caller puts there is overwritten.
struct RebalanceOptions {
  1: optional i32 wait_secs;
  2: optional i32 num_workers;
  3: optional map<string, i32> num_executors;
  4: optional map<string, map<string, double>> topology_resources_overrides;
  5: optional string topology_conf_overrides;
  6: optional string principal;
}

union TopologyActionOptions {
  1: optional KillOptions kill_options;
  2: optional RebalanceOptions rebalance_options;
}

// What the cluster keeps about a topology that was not removed.
struct StormBase {
  1: required string name;
  2: required TopologyStatus status;
  3: required i32 num_workers;
  4: optional map<string, i32> component_executors;
  5: optional i32 launch_time_secs;
  6: optional string owner;
  7: optional TopologyActionOptions topology_action_options;
  8: optional TopologyStatus prev_status;
  9: optional map<string, DebugOptions> component_debug;
  10: optional string principal;
  11: optional string topology_version;
}

// ---- Heartbeats and metrics of workers ----

struct ClusterWorkerHeartbeat {
  1: required string storm_id;
  2: required map<ExecutorInfo, ExecutorStats> executor_stats;
  3: required i64 time_secs;
  4: required i32 uptime_secs;
}

struct SupervisorWorkerHeartbeat {
  1: required string storm_id;
  2: required list<ExecutorInfo> executors;
  3: required i64 time_secs;
}

struct SupervisorWorkerHeartbeats {
  1: required string supervisor_id;
  2: required list<SupervisorWorkerHeartbeat> worker_heartbeats;
}

struct WorkerMetricPoint {
  1: required string metricName;
  2: required i64 timestamp;
  3: required double metricValue;
  4: required string componentId;
  5: required string executorId;
  6: required string streamId;
}

struct WorkerMetricList {
  1: list<WorkerMetricPoint> metrics;
}

struct WorkerMetrics {
  1: required string topologyId;
  2: required i32 port;
  3: required string hostname;
  4: required WorkerMetricList metricList;
}

// ---- Local state of daemons ----

// A named struct in its own encoding.
struct ThriftSerializedObject {
  1: required string name;
  2: required binary bits;
}

// The content of a daemon's local state file.
struct LocalStateData {
  1: required map<string, ThriftSerializedObject> serialized_parts;
}

struct LocalAssignment {
  1: required string topology_id;
  2: required list<ExecutorInfo> executors;
  3: optional WorkerResources resources;
  4: optional double total_node_shared;
  5: optional string owner;
}

struct LSSupervisorId {
  1: required string supervisor_id;
}

struct LSApprovedWorkers {
  1: required map<string, i32> approved_workers;
}

struct LSSupervisorAssignments {
  1: required map<i32, LocalAssignment> assignments;
}

struct LSWorkerHeartbeat {
  1: required i64 time_secs;
  2: required string topology_id;
  3: required list<ExecutorInfo> executors;
  4: required i32 port;
}

struct LSTopoHistory {
  1: required string topology_id;
  2: required i64 time_stamp;
  3: required list<string> users;
  4: required list<string> groups;
}

struct LSTopoHistoryList {
  1: required list<LSTopoHistory> topo_history;
}

// ---- Operations on running workers ----

enum ProfileAction {
  JPROFILE_STOP = 0,
  JPROFILE_START = 1,
  JPROFILE_DUMP = 2,
  JMAP_DUMP = 3,
  JSTACK_DUMP = 4,
  JVM_RESTART = 5,
}

struct ProfileRequest {
  1: required NodeInfo nodeInfo;
  2: required ProfileAction action;
  3: optional i64 time_stamp;
}

enum LogLevelAction {
  UNCHANGED = 1,
  UPDATE = 2,
  REMOVE = 3,
}

// reset_log_level_timeout_epoch (milliseconds) is set by Nimbus: now plus reset_log_level_timeout_secs, if that is not 0.
struct LogLevel {
  1: required LogLevelAction action;
  2: optional string target_log_level;
  3: optional i32 reset_log_level_timeout_secs;
  4: optional i64 reset_log_level_timeout_epoch;
  5: optional string reset_log_level;
}

// Id 1 is retired. Keys are logger names.
struct LogConfig {
  2: optional map<string, LogLevel> named_logger_level;
}

// ---- Distributed RPC ----

// An empty request id means that there is nothing to do.
struct DRPCRequest {
  1: required string func_args;
  2: required string request_id;
}

enum DRPCExceptionType {
  INTERNAL_ERROR = 0,
  SERVER_SHUTDOWN = 1,
  SERVER_TIMEOUT = 2,
  FAILED_REQUEST = 3,
}

exception DRPCExecutionException {
  1: required string msg;
  2: optional DRPCExceptionType type;
}

// ---- Worker tokens ----

enum WorkerTokenServiceType {
  NIMBUS = 0,
  DRPC = 1,
  SUPERVISOR = 2,
}

// What a worker token says about its holder. Serialized once, then signed and passed on as those bytes.
struct WorkerTokenInfo {
  1: required string userName;
  2: required string topologyId;
  3: required i64 secretVersion;
  4: required i64 expirationTimeMillis;
}

// signature is an HMAC over info.
struct WorkerToken {
  1: required WorkerTokenServiceType serviceType;
  2: required binary info;
  3: required binary signature;
}

// The key behind worker tokens; topology and version are where it is stored, not in it.
struct PrivateWorkerKey {
  1: required binary key;
  2: required string userName;
  3: required i64 expirationTimeMillis;
}

// ---- Pacemaker messages ----

enum HBServerMessageType {
  CREATE_PATH = 0,
  CREATE_PATH_RESPONSE = 1,
  EXISTS = 2,
  EXISTS_RESPONSE = 3,
  SEND_PULSE = 4,
  SEND_PULSE_RESPONSE = 5,
  GET_ALL_PULSE_FOR_PATH = 6,
  GET_ALL_PULSE_FOR_PATH_RESPONSE = 7,
  GET_ALL_NODES_FOR_PATH = 8,
  GET_ALL_NODES_FOR_PATH_RESPONSE = 9,
  GET_PULSE = 10,
  GET_PULSE_RESPONSE = 11,
  DELETE_PATH = 12,
  DELETE_PATH_RESPONSE = 13,
  DELETE_PULSE_ID = 14,
  DELETE_PULSE_ID_RESPONSE = 15,
  CONTROL_MESSAGE = 16,
  SASL_MESSAGE_TOKEN = 17,
  NOT_AUTHORIZED = 18,
}

struct HBPulse {
  1: required string id;
  2: binary details;
}

struct HBRecords {
  1: list<HBPulse> pulses;
}

struct HBNodes {
  1: list<string> pulseIds;
}

// Id 6 is retired.
union HBMessageData {
  1: string path;
  2: HBPulse pulse;
  3: bool boolval;
  4: HBRecords records;
  5: HBNodes nodes;
  7: optional binary message_blob;
}

struct HBMessage {
  1: HBServerMessageType type;
  2: HBMessageData data;
  3: optional i32 message_id = -1;
}

exception HBAuthorizationException {
  1: required string msg;
}

exception HBExecutionException {
  1: required string msg;
}

// ---- Services of Storm ----

// The master. What fails with anything but a declared exception reaches the caller as application exception 6.
service Nimbus {
  // Submit and lifecycle. Names, not ids.
  bool isTopologyNameAllowed(1: string name) throws (1: AuthorizationException aze);
  void submitTopology(1: string name, 2: string uploadedJarLocation, 3: string jsonConf, 4: StormTopology topology)
    throws (1: AlreadyAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);
  void submitTopologyWithOpts(1: string name, 2: string uploadedJarLocation, 3: string jsonConf, 4: StormTopology topology, 5: SubmitOptions options)
    throws (1: AlreadyAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);
  void killTopology(1: string name) throws (1: NotAliveException e, 2: AuthorizationException aze);
  void killTopologyWithOpts(1: string name, 2: KillOptions options)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  void activate(1: string name) throws (1: NotAliveException e, 2: AuthorizationException aze);
  void deactivate(1: string name) throws (1: NotAliveException e, 2: AuthorizationException aze);
  void rebalance(1: string name, 2: RebalanceOptions options)
    throws (1: NotAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);
  void uploadNewCredentials(1: string name, 2: Credentials creds)
    throws (1: NotAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);  // Upload of the topology jar: begin answers an opaque location, then chunks, then finish. downloadChunk has lost its begin
  // call and only fails.
  string beginFileUpload() throws (1: AuthorizationException aze);
  void uploadChunk(1: string location, 2: binary chunk) throws (1: AuthorizationException aze);
  void finishFileUpload(1: string location) throws (1: AuthorizationException aze);
  binary downloadChunk(1: string id) throws (1: AuthorizationException aze);  // Blobs. Sessions are opaque and expire when idle; an empty downloaded chunk is the end of the data; listBlobs("") starts a
  // listing.
  string beginCreateBlob(1: string key, 2: SettableBlobMeta meta)
    throws (1: AuthorizationException aze, 2: KeyAlreadyExistsException kae);
  string beginUpdateBlob(1: string key) throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  void uploadBlobChunk(1: string session, 2: binary chunk) throws (1: AuthorizationException aze);
  void finishBlobUpload(1: string session) throws (1: AuthorizationException aze);
  void cancelBlobUpload(1: string session) throws (1: AuthorizationException aze);
  ReadableBlobMeta getBlobMeta(1: string key) throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  void setBlobMeta(1: string key, 2: SettableBlobMeta meta)
    throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  BeginDownloadResult beginBlobDownload(1: string key)
    throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  binary downloadBlobChunk(1: string session) throws (1: AuthorizationException aze);
  void deleteBlob(1: string key)
    throws (1: AuthorizationException aze, 2: KeyNotFoundException knf, 3: IllegalStateException ise);
  ListBlobsResult listBlobs(1: string session);
  i32 getBlobReplication(1: string key) throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  i32 updateBlobReplication(1: string key, 2: i32 replication)
    throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  void createStateInZookeeper(1: string key);
  bool isRemoteBlobExists(1: string blobKey) throws (1: AuthorizationException aze);  // The cluster. getLeader answers no result (application exception 5) when there is no leader; getNimbusConf is JSON.
  NimbusSummary getLeader() throws (1: AuthorizationException aze);
  string getNimbusConf() throws (1: AuthorizationException aze);
  ClusterSummary getClusterInfo() throws (1: AuthorizationException aze);
  list<OwnerResourceSummary> getOwnerResourceSummaries(1: string owner) throws (1: AuthorizationException aze);
  SupervisorPageInfo getSupervisorPageInfo(1: string id, 2: string host, 3: bool is_include_sys)
    throws (1: NotAliveException e, 2: AuthorizationException aze);  // Topologies. getTopology includes the system components, getUserTopology is what was submitted; getTopologyConf is JSON.
  list<TopologySummary> getTopologySummaries() throws (1: AuthorizationException aze);
  TopologySummary getTopologySummaryByName(1: string name)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologySummary getTopologySummary(1: string id) throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologyInfo getTopologyInfoByName(1: string name) throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologyInfo getTopologyInfo(1: string id) throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologyInfo getTopologyInfoByNameWithOpts(1: string name, 2: GetInfoOptions options)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologyInfo getTopologyInfoWithOpts(1: string id, 2: GetInfoOptions options)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologyPageInfo getTopologyPageInfo(1: string id, 2: string window, 3: bool is_include_sys)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  ComponentPageInfo getComponentPageInfo(1: string topology_id, 2: string component_id, 3: string window, 4: bool is_include_sys)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  string getTopologyConf(1: string id) throws (1: NotAliveException e, 2: AuthorizationException aze);
  StormTopology getTopology(1: string id) throws (1: NotAliveException e, 2: AuthorizationException aze);
  StormTopology getUserTopology(1: string id) throws (1: NotAliveException e, 2: AuthorizationException aze);
  TopologyHistoryInfo getTopologyHistory(1: string user) throws (1: AuthorizationException aze);  // Running workers. debug without a component means the whole topology; samplingPercentage is 0 to 100.
  void setLogConfig(1: string name, 2: LogConfig config);
  LogConfig getLogConfig(1: string name);
  void debug(1: string name, 2: string component, 3: bool enable, 4: double samplingPercentage)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  void setWorkerProfiler(1: string id, 2: ProfileRequest profileRequest);
  list<ProfileRequest> getComponentPendingProfileActions(1: string id, 2: string component_id, 3: ProfileAction action)
   ;  // Supervisors and workers.
  SupervisorAssignments getSupervisorAssignments(1: string node) throws (1: AuthorizationException aze);
  void sendSupervisorWorkerHeartbeats(1: SupervisorWorkerHeartbeats heartbeats)
    throws (1: AuthorizationException aze);
  void sendSupervisorWorkerHeartbeat(1: SupervisorWorkerHeartbeat heatbeat)
    throws (1: AuthorizationException aze, 2: NotAliveException e);
  void processWorkerMetrics(1: WorkerMetrics metrics);
}

// The node agent, called by Nimbus and by its own workers.
service Supervisor {
  void sendSupervisorAssignments(1: SupervisorAssignments assignments) throws (1: AuthorizationException aze);
  Assignment getLocalAssignmentForStorm(1: string id) throws (1: NotAliveException e, 2: AuthorizationException aze);
  void sendSupervisorWorkerHeartbeat(1: SupervisorWorkerHeartbeat heartbeat) throws (1: AuthorizationException aze);
}

// The callers' side of DRPC: execute blocks until the topology answers.
service DistributedRPC {
  string execute(1: string functionName, 2: string funcArgs)
    throws (1: DRPCExecutionException e, 2: AuthorizationException aze);
}

// The topology's side of DRPC: fetchRequest never blocks; results of unknown ids are ignored.
service DistributedRPCInvocations {
  void result(1: string id, 2: string result) throws (1: AuthorizationException aze);
  DRPCRequest fetchRequest(1: string functionName) throws (1: AuthorizationException aze);
  void failRequest(1: string id) throws (1: AuthorizationException aze);
  void failRequestV2(1: string id, 2: DRPCExecutionException e) throws (1: AuthorizationException aze);
}

// ---- Our own service ----
//
// Nimbus serves syncNode on its Thrift port beside Storm's methods, a supervisor serves syncWorker on its own port. Both
// are long polls: the caller says which plan version it has and how long it may be held; the answer comes at once when
// there is a newer plan, else when wait_ms are over (then the same version again).

struct WorkerError {
  1: required string component;
  2: required string message;
  3: required i64 time_ms;
  4: optional i32 task;
  5: optional bool lost;  // the process that executes the task ended without being told to
  6: optional bool unopened;  // the task could not be opened in a new version of the graph, or can never take up its state: the version is of no use
}

struct WorkerReport {
  1: required string topology_id;
  2: required i32 port;
  3: required string worker_id;
  4: required string assignment_id;  // the one the worker runs
  5: required i64 epoch;  // largest leader epoch the worker has seen
  6: required i64 uptime_secs;
  7: required i64 time_ms;
  8: required bool ready;  // links up, tasks opened
  9: required map<ExecutorInfo, ExecutorStats> executor_stats;
  10: optional list<WorkerError> errors;  // new since the last accepted report
  11: optional i32 pid;
  12: optional list<WorkerLink> links;  // by peer
  13: optional list<i64> actions_done;  // of those that the plan names
  14: optional TopologyTiming timing;  // of the worker with the task of __clock
  15: optional i64 dag_version;  // of the graph that it runs
  16: optional bool at_work;  // all its tasks are open, and their processes have answered
  // From worker to supervisor: what the supervisor gave to this process at its launch. It goes no further.
  20: optional string token;
  // From supervisor to Nimbus: why the supervisor doubts that the worker works; absent while it does not.
  21: optional string suspect;
  22: optional i32 restarts;  // of the slot since it took the topology up
  23: optional string last_exit;  // how the worker before this one ended
  24: optional WorkerUsage usage;
}

struct NodeReport {
  1: required string node_id;
  2: required string hostname;
  3: required list<i32> ports;
  4: required i32 thrift_port;
  5: required i64 uptime_secs;
  6: required string version;
  7: required map<string, double> resources;
  8: required list<WorkerReport> workers;
  9: required i64 epoch;  // largest leader epoch this node has seen
  10: optional map<string, string> scheduler_meta;
  20: optional string unhealthy;  // what the health checks found wrong; such a node offers no ports
}

// Something to do once to a running worker, as Storm's profiling actions ask for it.
struct WorkerAction {
  1: required i64 id;  // grows with every request of a topology
  2: required string node;
  3: required i32 port;
  4: required ProfileAction action;
  5: required i64 until_ms;  // of JPROFILE_STOP: when the profile ends; 0 or in the past: at once
}

// A look into the state that a component keeps while it runs.
struct StateQuery {
  1: required string component;
  2: optional string key;  // as people write it; unset: which states there are
  3: optional string state;  // the name of one; unset: all, but for timers where a key is asked for
  4: required i32 wait_ms;
}

// A StateQuery on its way to the workers.
struct StateQuestion {
  1: required i64 id;  // Nimbus's
  2: required string topology_id;
  3: required StateQuery query;  // its wait is what is left of it
}

// What a task has of a state.
struct StateRow {
  1: required i32 task;
  2: optional string state;  // unset: it has nothing of the kind
  3: optional string kind;  // value, list, map or timers
  4: optional string json;  // what it has for the key; unset where no key is asked for
  5: optional string error;  // why the task cannot tell
}

// What the tasks of one worker say to a StateQuestion, some or all of them.
struct StateReply {
  1: required i64 id;
  2: required string topology_id;
  3: required i32 port;
  4: required string worker_id;
  5: required list<StateRow> rows;
  6: optional string node_id;  // set by the supervisor
  20: optional string token;  // as that of a WorkerReport
}

// What all tasks say.
struct StateAnswer {
  1: required list<StateRow> rows;  // by task
  2: required list<i32> silent;  // tasks that have not answered in time
  3: optional string error;  // why nobody was asked
}

struct TopologyPlan {
  1: required string topology_id;
  2: required i64 plan_version;  // grows with every change of this plan
  3: required i64 epoch;  // leader epoch that made it; smaller ones are refused
  4: required string assignment_id;  // "<epoch>-<n>", new with every change of executors to slots
  5: required TopologyStatus status;
  6: required Assignment assignment;  // executor -> node and port, node -> host
  7: required map<i32, string> task_components;  // the stored task numbering
  8: required binary secret;  // 32 bytes, authenticates worker links of this topology
  9: required i64 dag_version;
  10: optional string owner;
  11: optional i64 code_version = 0;  // grows with every change of the stored topology or its configuration
  12: optional LogConfig log_config;  // absent: no level was changed
  13: optional map<string, string> credentials;
  14: optional list<WorkerAction> actions;  // of all workers, until they are done
  15: optional list<SavepointRequest> savepoints;  // until they are answered
  16: optional string code_id;  // its blobs have this in the place of the topology's id; unset: the id itself
  // What follows is for workers that take a version of the graph over while they run.
  17: optional i64 in_place_from = 0;  // those that run this dag_version or a later one may; 0: none, they start again
  18: optional list<PlanStream> streams;  // in the order of their numbers; unset: as a first version numbers them
  19: optional map<i32, string> gone_tasks;  // of earlier versions; tuples from and for them may be under way
  20: optional string code_dir;  // set by the supervisor for its workers: where it has the code of this version
  21: optional list<StateQuestion> questions;  // from supervisor to worker, each once; no part of the plan
}

// A stream of a component. Those that versions of a graph have in common keep their numbers.
struct PlanStream {
  1: required string component;
  2: required string name;
  3: required list<string> fields;
  4: required bool direct;
}

struct NodePlan {
  1: required i64 plan_version;
  2: required i64 epoch;
  3: required list<TopologyPlan> topologies;  // those with an executor on this node
  4: optional list<StateQuestion> questions;  // to workers of this node, each once; no part of the plan
}

// A blob that a master holds.
struct PeerBlob {
  1: required string key;
  2: required i64 version;
  3: required string sha256;
}

// What a master that follows tells the leader.
struct PeerReport {
  1: required string host;  // where its clients reach it
  2: required i32 port;
  3: required string version;
  4: required i64 uptime_secs;
  5: required bool anew;  // nothing that was told before counts
  6: required list<PeerBlob> held;  // got since the last report
  7: required list<string> dropped;  // keys no longer held
}

// A blob that every master should hold.
struct WantedBlob {
  1: required string key;
  2: required i64 version;
  3: required i64 size;
  4: required string sha256;
  5: required i32 replication;
  6: required list<AccessControl> acl;
  7: required list<string> holders;  // host:port of masters that have it, where the leader has not
}

struct PeerPlan {
  1: required i64 plan_version;
  2: required i64 epoch;
  3: optional list<WantedBlob> blobs;  // all of them; unset when the known version is the present one
}

// One line of what a change of a running topology does.
struct ChangeRow {
  1: required string kind;  // add, remove, replace, rescale, edge, conf or code
  2: required string component;  // "" for the topology itself
  3: required string text;
  4: optional string restarts;  // why workers have to start again for it; unset: they make it in place
}

// What a jar holds, so that two can be compared without sending one.
struct JarContents {
  1: required map<string, string> scripts;  // files under resources/, with what stands for their contents
  2: required string rest;  // stands for all other files
}

// How a change is to be made.
struct ChangeOptions {
  1: optional i64 base_version;  // refused if another version runs
  2: optional bool drop_state;  // components with state may go
  3: optional map<string, string> replace;  // components that are replaced though nothing shows it, and why
  4: optional string jar_sha256;  // of what would be uploaded, in hex: tells whether programs or scripts differ
  5: optional JarContents jar_contents;  // of what would be uploaded: tells which
}

// What a change does, or did.
struct TopologyChange {
  1: required i64 base_version;
  2: required i64 version;  // the new one
  3: required list<ChangeRow> rows;
  4: required list<string> refused;  // why it cannot be made
  5: optional bool restarts;  // workers start again for it, or did; unset by who does not know
}

// A version of a topology that runs or ran.
struct TopologyVersion {
  1: required i64 version;
  2: required i64 time_millis;
  3: required i64 base_version;  // what it was made from: the one before, or the one that it went back to; 0 at submit
  4: required list<ChangeRow> rows;
  5: optional string user;
  6: optional bool kept;  // it can be gone back to
  7: optional bool starting;  // it is the one that runs, and not all of its executors have started
  8: optional string note;  // why it was made, if nobody asked for it
  9: optional bool in_place;  // workers that ran took it over
  10: optional bool on_trial;  // it is the one that runs, and Nimbus goes back from it if it does not
  11: optional bool never_ran;  // the next one came while it was starting
}

service Gearstorm {
  NodePlan syncNode(1: NodeReport report, 2: i64 known_version, 3: i32 wait_ms) throws (1: AuthorizationException aze);
  // A held call that ends without news answers with the versions and the status of the plan alone.
  TopologyPlan syncWorker(1: WorkerReport report, 2: i64 known_version, 3: i32 wait_ms)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  // A master that follows asks the leader which blobs to hold. Answered at once when the known version is old; a
  // wait below 0 only reports and is answered without the list.
  PeerPlan syncPeer(1: PeerReport report, 2: i64 known_version, 3: i32 wait_ms) throws (1: AuthorizationException aze);
  // A piece of a blob that this master holds with these contents; never relayed. An empty piece is the end.
  binary fetchBlob(1: string key, 2: string sha256, 3: i64 offset, 4: i32 max_bytes)
    throws (1: AuthorizationException aze, 2: KeyNotFoundException knf);
  // Keeps a checkpoint of a topology by name, or forgets a name. Held until that is done or the wait is over; then the answer
  // has an error.
  SavepointAnswer savepoint(1: string topology, 2: string name, 3: bool remove, 4: i32 wait_ms)
    throws (1: NotAliveException e, 2: AuthorizationException aze);
  // What it would do to put this topology in the place of the one of that name that runs.
  TopologyChange planChange(1: string name, 2: string json_conf, 3: StormTopology topology, 4: ChangeOptions options)
    throws (1: NotAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);
  // Puts it there. Nothing changes when it is refused.
  TopologyChange applyChange(1: string name, 2: string uploaded_location, 3: string json_conf, 4: StormTopology topology, 5: ChangeOptions options)
    throws (1: NotAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);
  // All versions, oldest first.
  list<TopologyVersion> getTopologyVersions(1: string name) throws (1: NotAliveException e, 2: AuthorizationException aze);
  // Makes a new version that is as an earlier one was.
  TopologyChange rollbackTopology(1: string name, 2: i64 version, 3: ChangeOptions options)
    throws (1: NotAliveException e, 2: InvalidTopologyException ite, 3: AuthorizationException aze);
  // What a component of a running topology keeps. Held until all of its tasks have said so or the wait is over.
  StateAnswer getState(1: string topology, 2: StateQuery query) throws (1: NotAliveException e, 2: AuthorizationException aze);
  // A worker's reply, to its supervisor, which passes it on to Nimbus. One that nobody waits for is dropped.
  void replyState(1: StateReply reply) throws (1: NotAliveException e, 2: AuthorizationException aze);
}

// What a DRPC server has beside Storm's DistributedRPCInvocations, on the same port.
service GearstormDRPC {
  // fetchRequest that waits for a request, for a time that the server chooses; then the request without an id.
  DRPCRequest awaitRequest(1: string functionName);
}
