// Package localizer brings the code of topologies to this node and keeps it as long as somebody uses it.
//
// # Promises
//
//   - The directory of a topology is complete or absent: it is filled under another name and renamed. Content that changed
//     in the master is put in its place by an exchange, so a running worker never finds the directory missing.
//   - Every file of a topology is checked against its SHA-256 before a worker is started from it again, every blob once in a
//     life of the supervisor. What does not match (a crash, a bad disk, a script that wrote over itself) is fetched again.
//   - With the master away, what is on disk and sound is used as it is, and without waiting for the master.
//   - Blobs that users name (topology.blobstore.map) and dependencies lie on disk once for each content, whatever topologies
//     and keys they belong to. They follow the master while workers run: the new one is fetched aside and its link exchanged,
//     so who opens the name finds the old content or the new, and who has it open keeps it.
//   - Blobs without users stay for the next one until all take more than Config.CacheBytes, or the disk is full.
//   - A disk that fills up during a transfer costs that transfer alone; no half file is left.
//   - Archives are unpacked below an os.Root by rules that refuse more than they repair: no name that climbs or is
//     absolute, no link, no device, no file twice, and no more entries, bytes in all and bytes of one file than Limits
//     allows. One bad entry and nothing of the topology appears.
//   - Names that users choose (topology.blobstore.map, dependency keys) are single path elements and collide with nothing.
//
// # On disk
//
//	<dir>/<topology id>/stormjar.jar  stormcode.ser  stormconf.ser   as Storm lays them out
//	<dir>/<topology id>/resources/...           from the jar: the working directory of multilang children
//	<dir>/<topology id>/bin/<os>-<arch>         from the jar of a Go topology: the worker itself
//	<dir>/<topology id>/<key or local name>     links to dependency jars and the blobs of topology.blobstore.map
//	<dir>/<topology id>/.former.<n>             resources/ of earlier versions, n the last one that had it (former.go)
//	<dir>/<topology id>/.code.<n>               stormcode.ser and stormconf.ser of version n
//	<dir>/<topology id>/.localized              versions, hashes and links; written last
//	<dir>/<topology id>.<n>.tmp                 being filled or removed; deleted by Open
//	<blob dir>/<SHA-256>[.zip|.tar|.tgz]/data   a blob, or what it unpacked to (store.go)
//
// # Files
//
//	cache.go     topologies and who uses them     localize.go  from disk or the master to a Code
//	update.go    changes while workers run        fetch.go     what a topology consists of
//	store.go     blobs by content                 store_load.go  how one gets there
//	link.go      names that lead to blobs         tries.go     transfers that fail for a while
//	former.go    what stays of earlier versions
//	unpack.go, zip.go, tar.go, gobinary.go        archives
//
// # Goroutines
//
// The package starts none. A Cache may be used by many goroutines; one download of a topology serves all who wait for it.
package localizer
