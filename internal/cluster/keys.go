package cluster

import "net/url"

// All keys of the cluster state:
//
//	topologies/<id>            Topology
//	names/<name>               the id of the topology that has the name, from submit to removal
//	assignments/<id>           Assignment
//	credentials/<id>           Credentials
//	logconfigs/<id>            LogConfig
//	requests/<id>              Requests
//	versions/<id>              Versions
//	errors/<id>/<component>    Errors
//	blobs/<key>                Blob
//	history                    History
//	leader                     Leader
const (
	topologiesPrefix  = "topologies/"
	namesPrefix       = "names/"
	assignmentsPrefix = "assignments/"
	credentialsPrefix = "credentials/"
	logConfigsPrefix  = "logconfigs/"
	requestsPrefix    = "requests/"
	versionsPrefix    = "versions/"
	errorsPrefix      = "errors/"
	blobsPrefix       = "blobs/"
	historyKey        = "history"
	leaderKey         = "leader"
)

// LeaderKey is where a leader makes itself known, for watches.
const LeaderKey = leaderKey

// segment escapes text so that it is one segment of a key, different for different texts.
func segment(text string) string { return url.PathEscape(text) }
