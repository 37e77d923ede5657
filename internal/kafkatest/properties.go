package kafkatest

import (
	"bytes"
	"fmt"
	"path/filepath"
)

// properties are those of a broker that is its own controller, small and for one user.
func properties(b *Broker, controllerPort int, more map[string]string) []byte {
	var out bytes.Buffer
	controller := fmt.Sprintf("127.0.0.1:%d", controllerPort)
	set := func(key, value string) { fmt.Fprintf(&out, "%s=%s\n", key, value) }
	set("process.roles", "broker,controller")
	set("node.id", "1")
	set("listeners", "PLAINTEXT://"+b.addr+",CONTROLLER://"+controller)
	set("advertised.listeners", "PLAINTEXT://"+b.addr+",CONTROLLER://"+controller)
	set("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT")
	set("controller.listener.names", "CONTROLLER")
	set("controller.quorum.bootstrap.servers", controller)
	set("log.dirs", filepath.Join(b.dir, "data"))
	for _, topic := range []string{"offsets.topic", "transaction.state.log", "share.coordinator.state.topic"} {
		set(topic+".replication.factor", "1")
		set(topic+".num.partitions", "2")
	}
	set("transaction.state.log.min.isr", "1")
	set("share.coordinator.state.topic.min.isr", "1")
	set("group.initial.rebalance.delay.ms", "0")
	set("auto.create.topics.enable", "false")
	set("num.network.threads", "2")
	set("num.io.threads", "2")
	set("log.cleaner.dedupe.buffer.size", "4194304")
	for key, value := range more {
		set(key, value)
	}
	return out.Bytes()
}
