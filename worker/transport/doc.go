// Package transport carries batches between the workers of one topology: over TCP, and on one host through shared
// memory.
//
// # What it promises
//
//   - Nothing is decoded, and nothing is allocated by a claimed length, before both sides have proved that they hold
//     the topology's secret (handshake.go).
//   - Batches of one sender to one target arrive in the order they were pushed, each once, for as long as both worker
//     processes live: a cut connection is dialled again and what had not been received is sent again. But a frame that
//     came three times and could not be read is skipped, and told to Config.Lost.
//   - A slow receiver holds back its senders: a target has at most a few batches under way (flow.go), then its outlet
//     has no room. What became of tracked tuples takes no such credit and is never held back by data.
//   - The newest note of each kind to a worker arrives (notes.go), whatever happens to data, as long as that worker can be
//     reached.
//   - Trees are followed across workers (trees.go): a peer that dies, or comes back as another process, fails at once
//     what it had received and not settled.
//   - When a peer stays away longer than Config.PeerTimeout, or comes back as another process, what it had not
//     received is handed to Config.Lost, counted and dropped.
//
// # Links
//
// A link is one connection in one direction of data: the sender dials, sends data and pings; the receiver
// answers with grants and results. Two workers that send to each other have two links. The session of a link survives its
// connections; it ends with either process, or when the receiver has forgotten it. Frames are numbered from 1 in a
// session; a receiver ignores numbers it has seen, and a number that is missing ends the session. The proof at the start
// of a connection authenticates the peers; what follows is neither encrypted nor signed, as in Storm, over TCP only
// summed (CRC-32C).
//
// # When tasks move
//
// Workers hear of a new plan at different times. The rules below keep what is under way meanwhile in order; the engine's part
// is in package engine (early.go, admit.go), which says also where order ends: who leaves waits for half a second for what is sent to it by the
// former plan, and what comes later is passed on, beside what is sent to the new place.
//
//   - Who is spoken with (assignment.go). In the handshake each side says its slot and the version of the plan it knows. A peer
//     that knows the present plan or a newer one is welcome, and so is one whose slot has a part in the present assignment: it
//     is about to hear of it. Another is a leftover: it is refused, and cut when SetAssignment makes it one.
//   - Workers of two versions of the graph speak with each other if the later one says that the earlier goes with it (graph.go). What
//     comes for a task or on a stream that a worker does not have yet waits for SetGraph (early.go).
//   - By which plan a frame was sent. Identity.plan of the handshake holds for all frames of a connection until a plan frame
//     (type, 64-bit version) says a newer one. It is not numbered and not sent again: a connection begins with the newest
//     version there is. It may come before frames that were sent by an older plan, never after one that was sent by its own: the
//     version is stored before outlets move, and looked at after batches are taken from them. So the version of a batch
//     (Batch.Plan) is at least that by which it came here, and a receiver that knows less waits for its plan.
//   - An outlet moves with what it holds (SetPeers). Frames it has sent already belong to the session of the former link. Both
//     ends count a target's frames for as long as the session lasts, so a link remembers the count of an outlet that left
//     (link.past), and one that comes back goes on from there. Grants for targets that are not there are ignored.
//   - Links are kept up to the tasks that SetPeers names: those that somebody here sends to. What is sent to another one, by
//     an executor that leaves or since its task was here, goes by Assignment.Tasks, over a link that lasts until the next change.
//   - An outlet whose task has come to this worker leads home, to Config.TakeBack, which is told what the outlet held: that was sent before
//     anything that is pushed or delivered here since. When the task leaves again before SetPeers
//     says where to, it leads nowhere until then. What waits there is sent once there is an address, within PeerTimeout.
//   - A link that no outlet is on any more retires (retire.go): it ends when its peer has received and settled all, or is away,
//     or after PeerTimeout; what is due then fails.
//   - A receiver that cannot take a batch yet does not call Done, so the sender's credit for that target, and no other, is held.
//
// # When a peer is away
//
// A connection counts as dead after IdleTimeout without a byte from the other side. Both directions are watched: the sender
// pings four times as often, the receiver answers each with a grant. A refused connection means that the process is gone: what
// it had not settled fails at once. Else it fails after FailTimeout, while data is kept for PeerTimeout. The next attempt comes
// after MinBackoff, later ones after up to MaxBackoff, and at once when the peer's own hello or a plan comes in.
//
// # On one host
//
// Every link is dialled over TCP first. A peer on the same host and of the same user answers with the name of a Unix
// socket; there the handshake is made again, and then the dialler passes memory for a ring (ring.go, local_linux.go):
// data goes through the ring, grants, results and wake-ups over the socket, whose end is the peer's. If there is no ring
// the socket carries everything, if there is no socket TCP does. Sessions, credit and resending do not know which.
//
// # Memory
//
// A batch is encoded once, into the block that is written and kept until received. A received frame is copied once, to
// where its texts stay: they are views of that copy. What the copy, the slabs and the batch are made of is used again
// after Done, as far as Config.Keeps says that nobody may hold it (parcel.go); the rest is the garbage collector's.
//
// # Goroutines and locks
//
// Each link has one goroutine that dials, encodes and writes, and one that reads grants while connected; who pushes a
// small batch to an idle ring writes it there itself (quick.go), under link.pen. Each accepted connection has one that
// reads and decodes, and one that writes grants and results; who brings few results over a ring writes them itself
// (replies.go), under session.pen. Transport.mu guards the sets of links, outlets and sessions; link.mu guards a link's
// flow state and that of its outlets; session.mu a receiver's counters. They are taken in that order, none is held across
// I/O or a call to Config.Deliver, Config.Lost or a wake function. The two pens, which are taken before the mu of their
// kind, are: others only try them, and leave a token when they do not get it.
package transport
