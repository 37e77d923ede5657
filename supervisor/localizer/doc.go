// Package localizer brings the code of topologies to this node and keeps it as long as somebody uses it.
//
// # Promises
//
//   - The directory of a topology is complete or absent: it is filled under another name and renamed. Content that changed
//     in the master is put in its place by an exchange, so a running worker never finds the directory missing.
//   - Every file is checked against its SHA-256 before a worker is started from it again. What does not match (a crash, a
//     bad disk, a script that wrote over itself) is fetched again.
//   - With the master away, what is on disk and sound is used as it is.
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
//	<dir>/<topology id>/<key or local name>     dependency jars and the blobs of topology.blobstore.map
//	<dir>/<topology id>/.localized              versions and hashes; written last
//	<dir>/<topology id>.<n>.tmp                 being filled or removed; deleted by Open
//
// # Goroutines
//
// The package starts none. A Cache may be used by many goroutines; one download of a topology serves all who wait for it.
package localizer
