// Package connect holds what the sources and sinks below it share. Each of them is a package of its own: file, kafka, redis.
//
// A package's Sources and Sinks take options and return what makes the tasks of a component: the typed API takes that, and so does a
// topology in Storm's words:
//
//	b.SetSpout("lines", storm.SourceFactory(file.Sources(file.SourceOptions{Paths: []string{"/var/log/app/*.log"}})), 2).Fields("line")
//
// They are gearcore.Sources and gearcore.Tasks. In a topology with checkpoints they take part in them: a source's position
// is in the checkpoint, and what a sink got of an epoch becomes visible once, when the checkpoint of that epoch counts.
//
// A connector's options are a struct whose zero fields mean the documented defaults; Validate says what is wrong with one.
package connect
