package cluster

import (
	"context"
	"time"
)

// Requests are the profiling actions that were asked of a topology's workers and are not done yet.
type Requests struct {
	// Last is the number of the newest request there ever was: numbers are not used again.
	Last    int64     `json:"last"`
	Pending []Request `json:"pending"` // in order of ids
}

// Request is one action for one worker.
type Request struct {
	ID     int64     `json:"id"`
	Node   string    `json:"node"`
	Host   string    `json:"host"`
	Port   int32     `json:"port"`
	Action int64     `json:"action"`          // Storm's number of it
	Stamp  int64     `json:"stamp,omitempty"` // milliseconds since 1970, as the caller gave it; 0 for none
	Asked  time.Time `json:"asked"`
}

// PutRequests builds the operation that replaces a topology's requests.
func PutRequests(topology string, r Requests) Op {
	return encoded(requestsPrefix+segment(topology), AnyVersion, r)
}

// ReadRequests returns a topology's requests; none stored is none at all.
func ReadRequests(ctx context.Context, s Store, topology string) (Requests, error) {
	return readOrZero[Requests](ctx, s, requestsPrefix+segment(topology))
}
