package nimbus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// authorizer decides who may do what. user is empty when nobody is known; topo is nil for what is not about one
// topology.
type authorizer interface {
	permit(user, operation string, topo conf.Conf) bool
}

// newAuthorizer reads nimbus.authorizer: unset allows everything, else one of Storm's classes, by its simple name. A
// class that is not known is an error, never an open door.
func newAuthorizer(c conf.Conf) (authorizer, error) {
	class, err := c.StringOr("nimbus.authorizer", "")
	if err != nil {
		return nil, err
	}
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "", "NoopAuthorizer":
		return fixedAuthorizer(true), nil
	case "DenyAuthorizer":
		return fixedAuthorizer(false), nil
	case "SimpleWhitelistAuthorizer":
		users, err := c.StringList("storm.auth.simple-white-list.users")
		return listAuthorizer(users), err
	case "SimpleACLAuthorizer":
		return newACLAuthorizer(c)
	}
	return nil, fmt.Errorf("nimbus.authorizer %q is not supported; allowed are NoopAuthorizer, DenyAuthorizer, SimpleWhitelistAuthorizer and SimpleACLAuthorizer", class)
}

type fixedAuthorizer bool

func (a fixedAuthorizer) permit(string, string, conf.Conf) bool { return bool(a) }

type listAuthorizer []string

func (a listAuthorizer) permit(user, _ string, _ conf.Conf) bool { return slices.Contains(a, user) }

// aclAuthorizer follows Storm's SimpleACLAuthorizer.java, without groups.
type aclAuthorizer struct {
	admins, supervisors, users []string
}

func newACLAuthorizer(c conf.Conf) (authorizer, error) {
	var a aclAuthorizer
	for key, list := range map[string]*[]string{
		"nimbus.admins": &a.admins, "nimbus.supervisor.users": &a.supervisors, "nimbus.users": &a.users,
	} {
		users, err := c.StringList(key)
		if err != nil {
			return nil, err
		}
		*list = users
	}
	return a, nil
}

var (
	// userOperations are open to every user, or to nimbus.users when that is set.
	userOperations = []string{"submitTopology", "fileUpload", "getNimbusConf", "getClusterInfo", "getLeader", "isTopologyNameAllowed",
		"getTopologySummaries", "getTopologySummaryByName", "getTopologySummary", "getSupervisorPageInfo", "getOwnerResourceSummaries"}
	// supervisorOperations are those of nodes. Storm forgets getLeader, without which its client cannot reach a leader.
	supervisorOperations = []string{"fileDownload", "processWorkerMetrics", "getSupervisorAssignments", "sendSupervisorWorkerHeartbeats",
		"syncNode", "replyState", "getLeader"}
	// readOperations on a topology are open to topology.readonly.users too.
	readOperations = []string{"getTopologyConf", "getTopology", "getUserTopology", "getTopologyInfo", "getTopologyPageInfo",
		"getComponentPageInfo", "getWorkerProfileActionExpiry", "getComponentPendingProfileActions", "getLogConfig"}
)

func (a aclAuthorizer) permit(user, operation string, topo conf.Conf) bool {
	switch {
	case user == "":
		return false
	case slices.Contains(a.admins, user):
		return true
	case slices.Contains(a.supervisors, user) && slices.Contains(supervisorOperations, operation):
		return true
	case slices.Contains(userOperations, operation):
		return len(a.users) == 0 || slices.Contains(a.users, user)
	case slices.Contains(supervisorOperations, operation) || topo == nil:
		return false
	}
	owners, _ := topo.StringList("topology.users")
	readers, _ := topo.StringList("topology.readonly.users")
	return slices.Contains(owners, user) || (slices.Contains(readOperations, operation) && slices.Contains(readers, user))
}

// callerOf returns the user who calls, empty when nobody is known.
func callerOf(ctx context.Context) string { return wire.Caller(ctx).Principal }

// may returns nil when the caller may do an operation, on the topology of this name and configuration if there is one.
func (n *Nimbus) may(ctx context.Context, operation, name string, topo conf.Conf) error {
	if n.authorize.permit(callerOf(ctx), operation, topo) {
		return nil
	}
	if name != "" {
		return unauthorized("%s on topology %s is not authorized", operation, name)
	}
	return unauthorized("%s is not authorized", operation)
}
