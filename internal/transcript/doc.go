// Package transcript keeps what a Thrift client and a server said to each other, and says it again to another server: a [Proxy]
// records calls byte by byte on their way, [Write] and [Read] keep them in a small file of text, and a [Player] sends the calls
// to the server under test and compares its answers with the recorded ones. Tests only.
//
// An answer is as good as the recorded one if a client that reads the one can read the other ([Differences]): the same kind of
// answer, the same exception with the same text, and every field that the recorded one has, with the same type. Figures, times and
// the like are not compared, and fields beyond the recorded ones are left alone, as clients skip what they do not know.
//
// Ids differ from run to run. Where the recorded answer has an id and the new one has another at the same place, the player
// learns that and puts the new one into the requests that follow.
package transcript
