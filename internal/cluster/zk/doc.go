// Package zk keeps the cluster state in ZooKeeper, for several masters. It is the only package that imports a ZooKeeper client.
//
// # Nodes
//
// Everything lies below <storm.zookeeper.root>/gearstorm, so a real Storm on the same root is never touched:
//
//	head                       the newest epoch and its newest transaction (JSON, see head)
//	candidates/<instance>-<n>  ephemeral and sequential: who leads or waits to lead
//	top/<key>                  values of keys with one segment
//	sub/<first>/<rest>         values of keys with more, the slashes of the rest escaped
//
// Only parents that hold no value have children, so a key and keys below it never get in each other's way. A folder of sub
// is made by the first transaction that needs it, in the same request; folders stay.
//
// # Writes
//
// Every write, of any leader, is one ZooKeeper transaction (multi) whose first part replaces head at the version at which the
// writer knows it. So all writes form one chain, and a request that was overtaken by any other can never be applied, however
// long it was under way. From that follow the promises:
//
//   - Fencing. A takeover writes a new epoch to head, in a transaction that also asks that the own candidate node exists. The
//     leader before may have a write under way; ZooKeeper refuses it then.
//   - Conditions are looked at by reading, in the session that read head, before the write: when head was not replaced since,
//     nothing else was. An Item's version is the zxid of its last write, so it never comes twice.
//   - A cut connection leaves open whether a request was applied. The same request is sent again, which cannot apply it twice;
//     head tells the number of the transaction that was applied last, also of the last epochs before. So Txn returns nil only
//     for what was applied, [cluster.ErrConflict] and [cluster.ErrFenced] only for what never will be, and
//     [cluster.ErrUncertain] when it could not find out in time ([Config.ConnectTimeout], or the caller's context). Errors that
//     are none of these come before anything was sent.
//
// # Reads
//
// Get and List first have the server catch up with the leader of the ensemble (sync), so they see every write that was
// acknowledged before they began, by whomever. (ZooKeeper's one exception: a leader of the ensemble that was cut off from
// the others and has not noticed yet, for some seconds.) List is a snapshot: it reads again if head was replaced meanwhile.
//
// Watch has one watch on head for all watchers and hints to all of them when another master has written.
//
// # Leadership
//
// Each candidate watches the one before it only. A term is over, and Term.Lost closed, when the candidate node or the session is
// gone, when another epoch stands in head, or when by the own monotonic clock no answer that went through the leader of the
// ensemble came for two thirds of the session's timeout: before ZooKeeper can expire the session. (The clock stands still while a
// machine is suspended; the fence does not need it.) A term that ends otherwise than with its session gives its node up.
//
// A leader that campaigns again, or raises its epoch ([Store.RaiseEpoch]), keeps its node. [Config.Instance] lets a master that
// was killed take the place of its own last life at once, instead of waiting until that session is over.
//
// # Cost
//
// A leader asks ZooKeeper for a sign of life every sixth of the session's timeout when nothing else goes on; the client
// library pings every third. Nothing is written when nothing changes.
//
// # The client library
//
// go-zookeeper keeps sessions and connections. What it does not do, or does badly, is done in session.go and wire.go: events
// reach us by callback (its channel drops them), a handshake is bounded, an expired session is followed by a whole new client,
// and no request is sent before its watches are armed again.
package zk
