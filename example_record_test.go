package gearstorm_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// order is what the tuples of the stream below are.
type order struct {
	Customer string
	Cents    int64
}

var orders = storm.RecordOf[order]()

// orderFile is a spout that reads lines into a buffer that is used again. Collector.String makes cheap strings of it.
type orderFile struct{ lines *bufio.Scanner }

func (s *orderFile) Open(*storm.Context, *storm.Collector) error {
	s.lines = bufio.NewScanner(strings.NewReader("ann 1250\nbob 70\nann 30\ncleo 99000\n"))
	return nil
}

func (s *orderFile) Next(c *storm.Collector) error {
	if !s.lines.Scan() {
		return storm.ErrIdle
	}
	customer, amount, _ := strings.Cut(c.String(s.lines.Bytes()), " ")
	cents, err := strconv.ParseInt(amount, 10, 64)
	if err != nil {
		return err // reported; the next line comes with the next call
	}
	orders.Emit(c, order{customer, cents})
	return nil
}

// Streams of structs, passed on as they are by a bolt that keeps none of them.
func Example_records() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	program := gearstorm.Program{Name: "orders", Define: func(b *storm.TopologyBuilder, _ []string) error {
		b.SetSpout("orders", storm.SpoutFactory(func() storm.Spout { return &orderFile{} }), 1).Fields(orders.Fields()...)
		b.SetBolt("large", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
			o, err := orders.Get(t)
			if err != nil || o.Cents < 1000 {
				return err
			}
			out.Forward()
			return nil
		}), 1).NoRetain().ShuffleGrouping("orders").Fields(orders.Fields()...)
		b.SetBolt("print", storm.BoltFunc(func(t storm.Tuple, _ storm.Emitter) error {
			o, err := orders.Get(t)
			if err != nil {
				return err
			}
			fmt.Printf("%s ordered for %d.%02d\n", o.Customer, o.Cents/100, o.Cents%100)
			if o.Customer == "cleo" {
				cancel()
			}
			return nil
		}), 1).ShuffleGrouping("large")
		return nil
	}}
	if err := gearstorm.RunLocal(ctx, program, gearstorm.Options{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ann ordered for 12.50
	// cleo ordered for 990.00
}
