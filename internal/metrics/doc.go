// Package metrics counts what the engine's hooks tell and says it in Storm's words.
//
// A Table has a row of counters for every task and stream of one worker: exact counts (Storm samples one event in 20
// and multiplies), sums of sampled latencies, over the windows of Storm's UI: 600, 10800 and 86400 seconds, each in
// buckets (num.stat.buckets, 20), and all time. Time comes in as a value: Advance moves the windows, the caller does
// so about once a second. Counting is a few additions under the task's lock; no clock is read.
//
// Latencies, and the time that tuples wait in inboxes, are kept as Histograms with exponential buckets, since the start and
// over the last minutes; how long executors wait for room is kept by the component they wait for, waits under way included.
// ExecutorStats carries all of it in a report, Times adds up the executors of a component, Expose writes Prometheus' text.
//
// Errors of components are kept, throttled per task as Storm does (topology.max.error.report.per.interval per
// topology.error.throttle.interval.secs), until the reader takes them.
package metrics
