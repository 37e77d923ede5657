package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSourceProperties(t *testing.T) {
	o, err := SourceProperties(map[string]string{
		"bootstrap.servers": "a:9092, b:9092", "client.id": "me", "group.id": "g", "first.poll.offset.strategy": "UNCOMMITTED_LATEST", "isolation.level": "read_uncommitted",
		"auto.offset.reset": "earliest", "partition.refresh.period.ms": "2000", "offset.commit.period.ms": "1500", "max.uncommitted.offsets": "7", "max.poll.records": "8",
		"fetch.max.bytes": "900", "max.partition.fetch.bytes": "90", "enable.auto.commit": "false",
		"key.deserializer": "org.apache.kafka.common.serialization.StringDeserializer",
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Topics = []string{"t"}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(o.Cluster.Brokers, []string{"a:9092", "b:9092"}) || o.Cluster.ClientID != "me" || o.Group != "g" || o.Start != "UNCOMMITTED_LATEST" ||
		!o.ReadUncommitted || o.OutOfRange != Earliest || o.PartitionsEvery != 2*time.Second || o.CommitEvery != 1500*time.Millisecond || o.MaxUncommitted != 7 ||
		o.Batch != 8 || o.FetchBytes != 900 || o.PartitionBytes != 90 {
		t.Errorf("the options are %+v", o)
	}
	for reset, want := range map[string]SourceOptions{"latest": {Start: StartLatest, OutOfRange: Latest}, "none": {OutOfRange: Fail}, "earliest": {OutOfRange: Earliest}} {
		if o, err := SourceProperties(map[string]string{"auto.offset.reset": reset}); err != nil || o.Start != want.Start || o.OutOfRange != want.OutOfRange {
			t.Errorf("auto.offset.reset=%s: %+v, %v", reset, o, err)
		}
	}
	// The group's offset comes first, or a start would leave out what came since the last one.
	if o, err := SourceProperties(map[string]string{"auto.offset.reset": "latest", "group.id": "g"}); err != nil || o.Start != StartGroupLatest {
		t.Errorf("auto.offset.reset=latest with a group: %+v, %v", o, err)
	}
}

func TestSinkProperties(t *testing.T) {
	o, err := SinkProperties(map[string]string{
		"bootstrap.servers": "a:9092", "transactional.id": "id", "transaction.timeout.ms": "30000", "max.request.size": "1000", "acks": "all", "compression.type": "zstd",
		"linger.ms": "5", "batch.size": "16384", "enable.idempotence": "true", "value.serializer": "org.apache.kafka.common.serialization.StringSerializer",
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Topic = "t"
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	if o.ID != "id" || o.TransactionTimeout != 30*time.Second || o.MaxRecordBytes != 1000 || o.Mode != "" || len(o.Cluster.Opts) != 3 {
		t.Errorf("the options are %+v", o)
	}
	if o, err := SinkProperties(map[string]string{"enable.idempotence": "false"}); err != nil || o.Mode != AtLeastOnce {
		t.Errorf("without idempotence: mode %q, %v", o.Mode, err)
	}
	c, err := o.Cluster.client()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestPropertiesRefused(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"fetch.min.bytes", "1", "not known; there are auto.offset.reset, bootstrap.servers"},
		{"enable.auto.commit", "true", "only false is possible"},
		{"max.poll.records", "0", "a whole number"},
		{"max.poll.records", "4294967297", "a whole number"},
		{"partition.refresh.period.ms", "2s", "a whole number"},
		{"first.poll.offset.strategy", "FIRST", "want one of EARLIEST, LATEST"},
		{"isolation.level", "read_all", "want one of read_committed, read_uncommitted"},
		{"value.deserializer", "com.example.Avro", "SourceOptions.Emit"},
	} {
		_, err := SourceProperties(map[string]string{c.name: c.value})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s=%s: %v, want %q", c.name, c.value, err, c.want)
		}
	}
	_, err := SinkProperties(map[string]string{"acks": "1", "compression.type": "best", "linger.ms": "-1", "batch.size": "x", "retries": "3"})
	for _, want := range []string{"acks", "compression.type", "linger.ms", "batch.size", "retries"} {
		if !strings.Contains(fmt.Sprint(err), "property "+want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// What Validate takes a client can be made of, and what a client refuses it refuses.
func TestWhatClientsRefuse(t *testing.T) {
	o := SourceOptions{Cluster: Cluster{Brokers: []string{"a:1"}}, Topics: []string{"t"}, FetchBytes: 1 << 30}
	c, err := o.Cluster.client(o.fetching()...)
	if err != nil || o.Validate() != nil {
		t.Fatal(err, o.Validate())
	}
	c.Close()
	for _, props := range []map[string]string{{"linger.ms": "120000"}, {"batch.size": "2000000000"}, {"client.id": strings.Repeat("x", 300)}, {"bootstrap.servers": "a:b"}} {
		o := SinkOptions{Topic: "t"}
		if props["bootstrap.servers"] == "" {
			o.Cluster.Brokers = []string{"a:1"}
		}
		if err := o.SetProperties(props); err != nil {
			t.Fatal(err)
		}
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "kafka sink: ") {
			t.Errorf("%v: %v", props, err)
		}
	}
}
