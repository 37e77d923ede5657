// Package blobstore keeps versioned blobs of one master on its disk: topology jars, serialized topologies and
// configurations, and what users put there.
//
// # Promises
//
//   - A blob is never seen half-written. Data goes to a temporary file, is synced, renamed into place and the directory
//     synced; the rename of its metadata is what makes it (or its new version) exist.
//   - A damaged blob keeps nobody from the others: it is set aside, with a line in the log, and is then not there.
//   - What a crash leaves behind is never read and is removed by Open.
//   - A reader that has begun keeps reading the version it began with, whatever is written meanwhile.
//   - Everything a client can make grow has a bound: blobs, bytes of a blob, open sessions, idle time.
//   - Paths are made from hashes and opened below an os.Root, so no key can leave the directory.
//
// # On disk
//
//	blobs/<sha256 of key>/meta     JSON: key, version, size, hash, ACL, name of the data file
//	blobs/<sha256 of key>/d<token> data of a version; only the one named by meta counts
//	inbox/<token>                  finished upload of a jar, waiting to be submitted
//	aside/<token>                  what was damaged or nobody's, for a day
//	tmp/                           everything that is not finished; emptied by Open
//
// # Goroutines
//
// The package starts none. Store may be used by many goroutines; a session is used by one at a time. Calls that change
// what exists on disk are serialized by one lock that is held over their renames, while reading and writing of contents
// is not.
package blobstore
