package nimbus

import (
	"encoding/json"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	versionsKeptKey = "gearstorm.topology.versions.kept"
	usualKept       = 5
	mostKept        = 100
	// maxVersions bounds the versions that are told of.
	maxVersions = 100
	// maxAllRowsBytes bounds what is kept of the changes of all of them. The rest of the record is small.
	maxAllRowsBytes = cluster.MaxValueBytes / 2
)

// history are the versions of a topology, at least the one that runs.
func (t *topology) history() []cluster.Version {
	if len(t.versions.Entries) > 0 {
		return t.versions.Entries
	}
	v := cluster.Version{Version: t.GraphVersion, Time: t.Launched, Code: t.CodeID(), Kept: true, User: t.Owner}
	if t.code != nil {
		v.Jars = t.code.DependencyJars
	}
	return []cluster.Version{v}
}

// version finds a version.
func (t *topology) version(number int64) (cluster.Version, bool) {
	all := t.history()
	i := slices.IndexFunc(all, func(v cluster.Version) bool { return v.Version == number })
	if i < 0 {
		return cluster.Version{}, false
	}
	return all[i], true
}

// ranBefore says whether the code of the version that runs was at work as an earlier version, and what it was changed to was asked for.
func (t *topology) ranBefore() bool {
	all := t.history()
	last := all[len(all)-1]
	if last.Note != "" {
		return true // what a version goes back to by itself has been at work
	}
	for i, v := range all[:len(all)-1] {
		if v.Code == last.Code && !v.NeverRan && all[i+1].Note == "" {
			return true
		}
	}
	return false
}

// succeeded returns the versions with v as the newest, and the code ids of which nothing is kept any more: of all but the newest
// ones, as many as keep says, and the one that back may go back to.
func succeeded(all []cluster.Version, v cluster.Version, keep int, back int64) (now cluster.Versions, gone []string) {
	all = append(slices.Clone(all), v)
	told := all[max(0, len(all)-maxVersions):]
	kept := make(map[string]bool)
	for _, v := range slices.Backward(told) {
		if v.Kept && (len(kept) < keep || v.Version == back) {
			kept[v.Code] = true
		}
	}
	for i, v := range all {
		if v.Kept && !kept[v.Code] {
			all[i].Kept = false
			if !slices.Contains(gone, v.Code) {
				gone = append(gone, v.Code)
			}
		}
	}
	boundRows(told)
	return cluster.Versions{Entries: told}, gone
}

// boundRows leaves out what the oldest versions changed where the rows of all take too much room.
func boundRows(all []cluster.Version) {
	size := 0
	for i := range slices.Backward(all) {
		text, _ := json.Marshal(all[i].Rows) // they are but texts
		if size += len(text); size > maxAllRowsBytes {
			all[i].Rows = nil
		}
	}
}

// versionsKept is how many versions of a topology can be gone back to, the one that runs included.
func (t *topology) versionsKept() int {
	n, err := t.conf.IntOr(versionsKeptKey, usualKept)
	if err != nil {
		return usualKept
	}
	return int(min(max(n, 1), mostKept))
}

// allBlobKeys are the blobs of all versions that are kept.
func (t *topology) allBlobKeys() []string {
	keys := blobKeys(t.CodeID())
	for _, v := range t.history() {
		if v.Kept {
			keys = append(keys, blobKeys(v.Code)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// jars are the dependency jars that a version of the topology names.
func (t *topology) jars() (keys []string) {
	if t.code != nil {
		keys = append(keys, t.code.DependencyJars...)
	}
	for _, v := range t.versions.Entries {
		keys = append(keys, v.Jars...)
	}
	return keys
}

func storedRows(rows []*stormrpc.ChangeRow) (out []cluster.ChangeRow) {
	for _, r := range rows {
		out = append(out, cluster.ChangeRow{Kind: r.Kind, Component: r.Component, Text: r.Text, Restarts: r.GetRestarts()})
	}
	return out
}

func thriftVersion(v cluster.Version) *stormrpc.TopologyVersion {
	out := &stormrpc.TopologyVersion{Version: v.Version, TimeMillis: v.Time.UnixMilli(), BaseVersion: v.Base, Rows: []*stormrpc.ChangeRow{},
		User: text(v.User), Kept: ref(v.Kept), Note: text(v.Note), InPlace: ref(v.InPlace), NeverRan: ref(v.NeverRan)}
	for _, r := range v.Rows {
		out.Rows = append(out.Rows, &stormrpc.ChangeRow{Kind: r.Kind, Component: r.Component, Text: r.Text, Restarts: text(r.Restarts)})
	}
	return out
}
