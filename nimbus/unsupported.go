package nimbus

import (
	"context"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// Unsupported is a method of Storm's Nimbus service that is answered as if it did not exist.
type Unsupported struct {
	Method string
	Why    string
}

// UnsupportedMethods lists all such methods, in order of names. The documentation of differences is checked against it.
func UnsupportedMethods() []Unsupported {
	return []Unsupported{
		{"downloadChunk", "Storm removed the call that begins such a download; its clients use beginBlobDownload"},
		{"getComponentPendingProfileActions", "profiling of workers on request is not there"},
		{"getSupervisorAssignments", "only Storm's own supervisor asks; our nodes use syncNode"},
		{"processWorkerMetrics", "only Storm's own supervisor sends; there is no metric store"},
		{"sendSupervisorWorkerHeartbeat", "only Storm's own worker sends; our nodes use syncNode"},
		{"sendSupervisorWorkerHeartbeats", "only Storm's own supervisor sends; our nodes use syncNode"},
		{"setWorkerProfiler", "profiling of workers on request is not there"},
		{"syncWorker", "a worker talks to the supervisor of its node"},
	}
}

// DownloadChunk implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) DownloadChunk(context.Context, string) ([]byte, error) {
	return nil, wire.ErrNotImplemented
}

// SetWorkerProfiler implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) SetWorkerProfiler(context.Context, string, *stormrpc.ProfileRequest) error {
	return wire.ErrNotImplemented
}

// GetComponentPendingProfileActions implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) GetComponentPendingProfileActions(context.Context, string, string, stormrpc.ProfileAction) ([]*stormrpc.ProfileRequest, error) {
	return nil, wire.ErrNotImplemented
}

// GetSupervisorAssignments implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) GetSupervisorAssignments(context.Context, string) (*stormrpc.SupervisorAssignments, error) {
	return nil, wire.ErrNotImplemented
}

// SendSupervisorWorkerHeartbeats implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) SendSupervisorWorkerHeartbeats(context.Context, *stormrpc.SupervisorWorkerHeartbeats) error {
	return wire.ErrNotImplemented
}

// SendSupervisorWorkerHeartbeat implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) SendSupervisorWorkerHeartbeat(context.Context, *stormrpc.SupervisorWorkerHeartbeat) error {
	return wire.ErrNotImplemented
}

// ProcessWorkerMetrics implements stormrpc.Nimbus; see UnsupportedMethods.
func (n *Nimbus) ProcessWorkerMetrics(context.Context, *stormrpc.WorkerMetrics) error {
	return wire.ErrNotImplemented
}
