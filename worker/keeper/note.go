package keeper

import (
	"encoding/json"
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Kinds of notes between workers.
const (
	OrderNote byte = iota
	ReportNote
)

// ReadOrder reads what a Keeper sent.
func ReadOrder(note []byte) (o checkpoint.Order, err error) {
	if err = json.Unmarshal(note, &o); err != nil {
		err = fmt.Errorf("read order: %w", err)
	}
	return o, err
}

// ReadReport reads what the Agent of the worker in a slot sent. Nobody speaks for another one.
func ReadReport(slot string, note []byte) (r checkpoint.Report, err error) {
	if err = json.Unmarshal(note, &r); err != nil {
		return r, fmt.Errorf("read report: %w", err)
	}
	if r.Worker != slot {
		return r, fmt.Errorf("read report: worker %q speaks for %q", slot, r.Worker)
	}
	return r, nil
}

func write(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // orders and reports have nothing that JSON has not
	}
	return b
}
