// Package jvmhost lets the work of bolts and spouts happen in a Java virtual machine: one Java process for all such tasks of
// a worker, one Unix-socket connection (a channel) and one Java thread for each task. Tuples cross in batches both ways and
// the Go side never waits for Java: what Java holds is bounded, a slow Java task pauses its executor's input and so
// holds back the senders, and when the process is lost, every tuple it held fails at once.
//
// # Parts
//
// A Host starts the process and starts it again after a loss. A Bolt is the gearcore.BatchTask of one task, a Spout the
// gearcore.Source. Go listens; Java is told the address and a fresh 32-byte token in the first line of its standard input,
// "open <channel>" in the lines after it, and ends when its standard input does. It dials once for every channel, within
// Config.StartTimeout, or is lost, and once more for answers to "ping", which it owes within Config.Silence. What else it has to
// know is told by name, at the start and when it changes (Host.Tell, orders.go): of the topology, version by version (Host.SetVersion).
//
// The Java side is in java/, as source that travels in the binary; Install.Setup compiles it on the machine that is to run it,
// Install.Find looks for the result. In java/gearstorm/jvmhost are the counterparts of this package: Host; Channel with its
// Reader, Frames (what comes), Writer, Outbox (what is emitted and settled), Home (its inbox) and Exports; In, Out; and Echo, a bolt
// that emits what it gets. In its folder storm is what runs Storm's components (MainClass): contexts, collectors, groupings and hooks
// are made of Storm's own classes; queues, acks, timeouts, ticks and metrics are Go's.
//
// # Edges that stay in Java
//
// Host.Local says which tasks the process has. What one of them sends to another is passed on as the object that it is, in parcels
// of up to 256 (Edges), into an Inbox that is there as long as its task is local, also before the task has begun and between two
// lives of it. Go hears of such tuples in sums (Counts), which it tells its hooks. The rest goes the other way, over the channel:
// which way a tuple goes depends on its receiver alone, so that what one task sends to another one keeps its order.
//
// The trees of tuples that stay are in Java as well (Tree): the number of tuples that hold a tree, and how to tell that it has ended.
// Such a tree is the row of a batch that Go sent (GoTree): the row is settled when nothing of it is left in the process. Or it is
// the tree of a spout's tuple that went to tasks of the process (Root): its message id, timeout, place in
// topology.max.spout.pending and latency are Java's own; Go keeps those of tuples that only left. A tuple that leaves the process with
// trees that are there is an export: Java numbers it and keeps the trees, for Go it is the first of a tree
// (exports), and what becomes of that is done to the trees.
//
// An inbox is bounded: who has added to a full one waits until half of it is free, after having handed over all else. Where the receiver
// can reach the sender again nobody waits. A task that is not local any more says when nothing is under way to it within the process
// (left); its Bolt or Spout holds something until then.
//
// What waits for a task that throws is executed in its next life, and the tuple that it threw at fails at once. What it had executed
// and not settled of tuples that stayed times out: they are in no list, which every tuple would pay for. To fail all trees of the
// process instead, as the end of Storm's worker does in effect, would have one bad tuple repeat all others.
//
// # Versions of the graph
//
// A topology may change while its tasks run. Each task works by one version of the graph, which the start frame names, and goes over to a later
// one with the frame graph (graph.go): behind it in the channel, and for tuples that stay in Java from then on, its groupings
// choose among the tasks of that version. Groupings whose receivers stay the same go on as they are. The component
// behind it is not made anew, and keeps the context that it was given. Tuples of any version are understood at any time: streams are
// numbered for good, and the process knows all up to the newest version.
//
// # Checkpoints
//
// In a topology with checkpoints (Spec.Checkpoints) a Bolt is restored before anything else, and at every rollback: renew.go. Java gets
// the start frame then, behind the state that its component had if that keeps one (Storm's IStatefulBolt), prepares the component and says so
// (ready). A component that keeps a state is asked for it at each checkpoint, when Java holds nothing (freeze), and hands it over behind all that
// it has emitted; it gets nothing between the question and the marker of the checkpoint, ticks neither (state.go). When the checkpoint counts
// it hears of that (commit). A loss breaks the generation of the topology instead of failing tuples, and
// no tuple is forgotten for its age.
//
// # Contract of a channel
//
//   - Go sends the tuples of one batch as one frame, or as several if it is too long. A frame has a handle, counted up from
//     1 by the Bolt and never used again; a tuple is known by handle and row. Java executes frames in order.
//   - Java emits rows in order. A row names its stream by its place in Spec.Outputs, its anchors by handle and row, and
//     the tasks that get it, since its groupings are applied where the classes are; or it leaves the choice to Go's
//     groupings. The order of rows to one task is kept.
//   - Java settles tuples by ranges of rows: acks, fails and fresh timeouts, sent behind what was emitted before. The first
//     ack or fail of a tuple counts, the rest are ignored, as are those for tuples that Go gave up. An anchor that is settled
//     already is no longer one.
//   - Credit towards Java: Spec.WindowBatches frames and Spec.WindowBytes bytes may be sent and not executed, plus the
//     frames of one batch. Java says "executed up to handle" (consumed), which has nothing to do with acks: a bolt
//     may hold tuples for as long as it likes.
//   - Credit towards Go: Java may send an emit frame while fewer than Spec.EmitBytes bytes of emit frames are on the way; Go
//     grants them again when the executor has passed them on. Settles and consumed need no credit, but follow the emits
//     before them. Errors need none either: Java sends few.
//   - A tuple that nobody settled or reset is forgotten after three message timeouts, when its root is long gone.
//   - A spout is granted calls of nextTuple, some in a frame; Java ends a frame early when a call emits nothing or a
//     millisecond has passed, and says how many frames it has worked off (consumed). Its tracked tuples are numbered from 1 in
//     the order of their rows; Go tells which have ended, and how.
//   - Any Java thread may emit and settle; Java writes what has gathered after a millisecond at the latest.
//
// Whoever breaks the contract is cut off: Go kills the process, Java ends itself, and both are a loss: Go fails what is
// open, reports a LostError on every task of the host and starts the process again. An exception out of a component costs
// its task alone: Java says why (gone) and closes the channel; Go fails what the task held, reports a TaskError, and has
// the channel opened again, with a new object behind it, after a pause that doubles.
//
// A task has a thread of its own, also where Storm would drive several tasks of one executor by one thread.
//
// # Bytes
//
// A client begins with "GSJV", version (2 bytes), channel (8), token (32); the answer is "GSJV", version (2), status (1:
// 0 welcome, 1 other version, 2 refused). Then frames: length of what follows (4, at most 4 MiB), kind (1), body.
// Numbers are little endian, varints LEB128, signed ones zigzag; a text is a varint length and UTF-8.
//
//	1 start     to Java   task varint, version u64, emit credit u32, outputs uvarint, each: name text, tasks uvarint, task varint ...
//	2 batch     to Java   handle u64, rows u32, each: bits u8, [stream uvarint, source varint, arity uvarint], values
//	3 grant     to Java   bytes uvarint
//	4 emit      to Go     rows u32, at most 65,536, each: bits u8,
//	                      [output uvarint, routing uvarint, tasks varint ..., arity uvarint],
//	                      [anchors uvarint, each: handle uvarint, row uvarint], values
//	5 settle    to Go     until its end: 1 ack, 2 fail or 3 fresh timeout (u8), handle uvarint, first row uvarint, rows uvarint
//	6 consumed  to Go     handle u64; of a spout: frames of calls in this life of the channel, and whether the last one emitted (u8)
//	7 next      to Java   calls uvarint
//	8 ended     to Java   1 ack or 2 fail (u8), first number u64, tuples u32
//	9 status    to Java   1 active or 0 (u8)
//	10 error    to Go     text to the end of the frame, at most 64 KiB: the component goes on
//	11 gone     to Go     text to the end of the frame, at most 64 KiB: it does not, and Java closes the channel
//	12 pong     to Go     nothing; on channel 0 only
//	13 returned to Java   1 ack, 2 fail or 3 fresh timeout (u8), first export u64, exports u32
//	14 counts   to Go     until its end: 1 emitted, 2 executed, 3 acked, 4 failed or 5 took (u8), stream, tuples, a, b uvarint each: for 1
//	                      a is the receivers, for 2 the nanoseconds that b of the tuples took, for 5 the nanoseconds of each
//	15 left     to Go     nothing
//	16 ready    to Go     1 if the component keeps a state, else 0 (u8): it is prepared
//	17 freeze   to Java   checkpoint u64
//	18 state    both ways a piece of the state: before the start frame, or before frozen
//	19 frozen   to Go     checkpoint u64, text to the end of the frame, at most 64 KiB: why there is no state; none: there is
//	20 commit   to Java   checkpoint u64
//	21 graph    to Java   version u64: the task works by it from now on
//
// Bit 0 of a row: the head in brackets follows; without it, it is that of the row before. Routing is 0 for Go's
// groupings, else the number of tasks plus one. Bits 1 and 2 of an emitted row tell its anchors: 0 none; 1 the row after
// the last anchor, same handle; 2 the last anchor again; 3 listed. Of a spout's row: 0 not tracked, 1 tracked. Bit
// 3: it is an export, with the next number. Bit 1 of a row to Java: it belongs to trees. A value is as
// package codec writes it; only Java looks into opaque ones, which are Kryo's bytes of an object with its class in front.
package jvmhost
