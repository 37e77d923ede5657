package compat

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A topology with Trident's coordinator is taken where somebody has named a ZooKeeper; Storm's default names nobody's.
func TestTransactionsNeedZooKeeper(t *testing.T) {
	with := func(class string) *stormrpc.StormTopology {
		return build(func(b *testBuilder) {
			b.Spouts["$mastercoord-bg0"] = &stormrpc.SpoutSpec{SpoutObject: &stormrpc.ComponentObject{SerializedJava: plainObject(class)},
				Common: &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"$batch": {OutputFields: []string{"tx"}}}}}
		})
	}
	servers := conf.Conf{"transactional.zookeeper.servers": []any{"zk1"}}
	for _, c := range []struct {
		name               string
		class              string
		cluster, submitted conf.Conf
		refused            bool
	}{
		{"nobody names one", coordinatorClass, nil, nil, true},
		{"null is no server", coordinatorClass, nil, conf.Conf{"transactional.zookeeper.servers": nil}, true},
		{"the topology does", coordinatorClass, nil, servers, false},
		{"the topology does, in Storm's second way", coordinatorClass, nil, conf.Conf{"storm.zookeeper.servers": []any{"zk1"}}, false},
		{"the cluster does", coordinatorClass, servers, nil, false},
		{"another spout", "org.apache.storm.trident.spout.RichSpoutBatchTriggerer", nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Normalize(conf.Merge(conf.Defaults(), c.cluster), c.submitted, with(c.class), Submission{ID: "t-1-2", Name: "t", SystemUser: "storm"})
			if (err != nil) != c.refused {
				t.Fatalf("refused: %v", err)
			}
			if !c.refused {
				return
			}
			for _, word := range []string{"[$mastercoord-bg0]", "transactional.zookeeper.servers", "transactional.zookeeper.port", "storm.zookeeper.servers"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not name %s", err, word)
				}
			}
		})
	}
}

// plainObject is the serialization of an object without fields.
func plainObject(class string) []byte {
	return []byte("\xac\xed\x00\x05sr\x00" + string([]byte{byte(len(class))}) + class + "\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00xp")
}
