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
