// Package redis writes to Redis, each command once.
//
// A sink turns tuples into commands, holds back those of an epoch until its checkpoint counts (package outbox), and then has Redis
// execute them by a script that also keeps the number of the epoch's batch, in a hash beside the data: <ID>-<index of the task>. So an increment
// is applied once, however often the task was interrupted. A script is executed as a whole and takes at most ChunkCommands commands: an epoch with more becomes visible in
// pieces, and the hash tells how far it is.
//
// The same hash names the owner: a task that was replaced is refused by the script.
//
// What Redis has to be: one server, or a cluster in which all keys, the sink's ID among them, have the same hash tag. A command that Redis refuses (a key
// that holds something else) is reported and counts as done: it would be refused again. Redis itself loses what it acknowledged when it crashes, by its configuration
// (appendfsync) up to a second of it, the data and the number together; and it may not evict the hash (maxmemory-policy noeviction or volatile-*).
package redis
