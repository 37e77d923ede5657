package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Cluster says how to reach a Kafka cluster.
type Cluster struct {
	// Brokers are host:port of some brokers; the others are learnt from them. Required. storm-kafka-client: bootstrap.servers.
	Brokers []string
	// ClientID is told to the brokers. Default "gearstorm". storm-kafka-client: client.id.
	ClientID string
	// Opts are more options of franz-go: TLS, SASL, compression, hooks. Ours come after them and win.
	Opts []kgo.Opt
}

// client makes a client with more options.
func (c Cluster) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(c.options(more)...)
}

func (c Cluster) options(more []kgo.Opt) []kgo.Opt {
	id := c.ClientID
	if id == "" {
		id = "gearstorm"
	}
	opts := append([]kgo.Opt{}, c.Opts...)
	opts = append(opts, kgo.SeedBrokers(c.Brokers...), kgo.ClientID(id))
	return append(opts, more...)
}

// problems collects what is wrong with options.
type problems struct {
	what string
	errs []error
}

func (p *problems) refuse(bad bool, format string, args ...any) {
	if bad {
		p.errs = append(p.errs, fmt.Errorf(p.what+": "+format, args...))
	}
}

// cluster says as well what franz-go refuses, of more options too: else a task would find it out.
func (p *problems) cluster(c Cluster, more ...kgo.Opt) {
	if empty := slices.Contains(c.Brokers, ""); empty || len(c.Brokers) == 0 {
		p.refuse(!empty, "Cluster.Brokers is empty")
		p.refuse(empty, "a broker of Cluster.Brokers is empty")
		return
	}
	err := kgo.ValidateOpts(c.options(more)...)
	p.refuse(err != nil, "%w", err)
}

func (p *problems) err() error { return errors.Join(p.errs...) }
