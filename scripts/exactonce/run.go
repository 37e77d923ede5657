package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/dir"
	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/kafkatest"
	"github.com/gearstorm/gearstorm/internal/pause"
)

// Pauses and limits of a run. The pause before a kill is random and may be none, so that some hit a topology that is going back already.
const (
	pauseMost     = 1500 * time.Millisecond
	progressLimit = 5 * time.Minute // for one more record to come out, or the last ones
	lookEvery     = 200 * time.Millisecond
)

// trial is a run: what goes in, what comes out, and what the checkpoints say.
type trial struct {
	options
	cluster *chaos.Cluster
	broker  string
	store   string // the folder of the checkpoints

	writer *writer
	reader *reader
	ledger ledger
	table  table
	killer *killer
	told   io.Writer // how it goes
}

// run starts Kafka and a cluster below o.dir, does everything, and prints the outcome.
func run(ctx context.Context, o options, out, told io.Writer) (err error) {
	broker, err := kafkatest.Start(ctx, kafkatest.Config{})
	if err != nil {
		return err
	}
	defer broker.Stop()
	jar, err := makeJar(ctx, o.dir, o.lib)
	if err != nil {
		return err
	}
	c, err := startCluster(ctx, o, o.dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fmt.Fprintln(told, lastWords(c))
		}
		err = errors.Join(err, c.Close())
	}()
	t := &trial{options: o, cluster: c, broker: broker.Addr(), store: filepath.Join(o.dir, "checkpoints"), killer: newKiller(c, o.seed), told: told}
	if err := t.begin(ctx, jar); err != nil {
		return err
	}
	defer t.reader.client.Close()
	if err := t.kills(ctx); err != nil {
		t.writer.finish()
		return err
	}
	n, err := t.end(ctx)
	if err != nil {
		return err
	}
	return t.judge(n, out)
}

// begin makes the topics, submits the topology and begins to write.
func (t *trial) begin(ctx context.Context, jar string) error {
	if err := makeTopics(ctx, t.broker); err != nil {
		return fmt.Errorf("make the topics: %w", err)
	}
	var err error
	t.table.topology, err = gearstorm.Submit(ctx, program, gearstorm.Options{
		Nimbus: t.cluster.Seeds(), Jar: jar, Conf: settings(t.store), Args: []string{t.broker, inTopic, outTopic},
	})
	if err != nil {
		return err
	}
	if t.table.store, err = dir.Open(t.store); err != nil {
		return err
	}
	if t.reader, err = newReader(t.broker); err != nil {
		return err
	}
	if t.writer, err = newWriter(t.broker, t.rate); err != nil {
		t.reader.client.Close()
	}
	return err
}

// kills kills as often as it should.
func (t *trial) kills(ctx context.Context) error {
	if err := t.progress(ctx, "the first record", func() bool { return t.ledger.visible > 0 }); err != nil {
		return err
	}
	random := t.killer.random
	for i := range t.options.kills {
		kind, before, look := t.killer.draw(), time.Duration(random.Int64N(int64(pauseMost))), random.IntN(2) == 0
		if err := pause.For(ctx, before); err != nil {
			return err
		}
		began := time.Now()
		victim, err := t.killer.kill(ctx, kind)
		if err != nil {
			return err
		}
		if err := t.look(ctx); err != nil {
			return err
		}
		fmt.Fprintf(t.told, "kill %d: %s, %s; %d of %d records are out\n", i+1, kind, victim, t.ledger.visible, t.writer.sent.Load())
		if was := t.ledger.visible; look {
			if err := t.progress(ctx, "a record after "+victim+" was killed", func() bool { return t.ledger.visible > was }); err != nil {
				return err
			}
			fmt.Fprintf(t.told, "kill %d: more records after %v\n", i+1, time.Since(began).Round(time.Millisecond))
		}
	}
	return nil
}

// end lets all records come out, ends the topology, and returns how many records went in.
func (t *trial) end(ctx context.Context) (int, error) {
	n, err := t.writer.finish()
	if err != nil {
		return n, err
	}
	err = t.progress(ctx, "all records", func() bool { return t.ledger.visible >= n })
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(t.told, err) // the line says what is lost
	}
	if err := t.cluster.LeadingNimbus(ctx); err != nil { // the last kill may have been its
		return n, err
	}
	if err := chaos.Kill(ctx, t.cluster.Client(), program.Name); err != nil {
		return n, err
	}
	if err := t.silence(ctx); err != nil {
		return n, err
	}
	return n, t.look(ctx)
}

// silence waits until no worker runs: what comes out comes before.
func (t *trial) silence(ctx context.Context) error {
	for {
		all, err := t.cluster.Workers()
		if err != nil || len(all) == 0 {
			return err
		}
		if err := pause.For(ctx, lookEvery); err != nil {
			return fmt.Errorf("wait for the end of the workers: %w", err)
		}
	}
}

// look reads what came out, and the checkpoints.
func (t *trial) look(ctx context.Context) error {
	return errors.Join(t.reader.read(ctx, &t.ledger), t.table.read(ctx))
}

// progress waits until something is so.
func (t *trial) progress(ctx context.Context, what string, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, progressLimit)
	defer cancel()
	for {
		if err := t.reader.read(ctx, &t.ledger); err != nil {
			return err
		}
		if so() {
			return nil
		}
		if err := pause.For(ctx, lookEvery); err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}

// judge prints the table and the lines, for n records that went in.
func (t *trial) judge(n int, out io.Writer) error {
	unequal := t.table.print(out)
	generations := map[uint64]bool{}
	for _, r := range t.table.rows {
		generations[r.generation] = true
	}
	fmt.Fprintf(out, "exactly-once records=%d visible=%d wrong=%d checkpoints=%d unequal=%d generations=%d\n",
		n, t.ledger.visible, t.ledger.wrongs+t.ledger.beyond(n), len(t.table.rows), unequal, len(generations))
	for _, w := range t.ledger.wrong {
		fmt.Fprintln(out, "exactly-once wrong:", w)
	}
	lost := t.ledger.lost(n)
	verdict := "ok"
	if lost+t.ledger.duplicated+t.ledger.wrongs+t.ledger.beyond(n)+unequal > 0 || len(t.table.rows) == 0 {
		verdict = "FAILED"
	}
	fmt.Fprintf(out, "exactly-once kills=%d (%v) seed=%d lost=%d duplicated=%d %s\n", t.options.kills, t.killer, t.seed, lost, t.ledger.duplicated, verdict)
	if verdict != "ok" {
		return errors.New("what came out is not what the sequential model says")
	}
	return nil
}
