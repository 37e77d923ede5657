package kafkatest_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/internal/kafkatest"
)

// What was acknowledged is there after the broker was killed and started again.
func TestBrokerComesAndGoes(t *testing.T) {
	b := kafkatest.New(t, kafkatest.Config{})
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("topic"), kgo.ConsumeTopics("topic"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, "topic"); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	b.Kill()
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for got := ""; got != "a"; {
		for _, r := range client.PollFetches(t.Context()).Records() {
			got = string(r.Value)
		}
		if t.Context().Err() != nil {
			t.Fatal("the record is gone")
		}
	}
}
