package compat

import (
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Keys of the ZooKeeper that spouts of Trident keep their transactions in. A cluster with its state in ZooKeeper offers
// that to topologies by setting them.
const (
	TransactionServersKey = "transactional.zookeeper.servers"
	TransactionPortKey    = "transactional.zookeeper.port"
)

// coordinatorClass is the spout that begins and commits the batches of a Trident topology. One whose only input is DRPC has none.
const coordinatorClass = "org.apache.storm.trident.topology.MasterBatchCoordinator"

// checkTransactions refuses a topology with transactions and no ZooKeeper to keep them in. Storm's class looks for it where
// out says, but the name of a server there may be Storm's default, which is nobody's: so the second choice counts only if the
// submit names it.
func checkTransactions(list []component, out, submitted conf.Conf) error {
	if out.Has(TransactionServersKey) || submitted.Has("storm.zookeeper.servers") {
		return nil
	}
	for i := range list {
		impl, err := list[i].impl()
		if err == nil && impl.Kind == dag.ImplJava && impl.Name == coordinatorClass {
			return invalid("Component: [%s] is Trident's coordinator of batches, which keeps its transactions in a ZooKeeper, and there is none: set %s and %s"+
				" in the configuration of the topology or of Nimbus, or let Nimbus keep the cluster's state in ZooKeeper (storm.zookeeper.servers)",
				list[i].id, TransactionServersKey, TransactionPortKey)
		}
	}
	return nil
}
