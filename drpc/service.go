package drpc

import (
	"context"
	"errors"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// service is the book as Storm's two services and our own.
type service struct{ book *book }

var (
	_ stormrpc.DistributedRPC            = service{}
	_ stormrpc.DistributedRPCInvocations = service{}
	_ stormrpc.GearstormDRPC             = service{}
)

// Execute implements stormrpc.DistributedRPC. It blocks until the request has ended.
func (s service) Execute(ctx context.Context, function, args string) (string, error) {
	result, err := s.book.execute(ctx, function, args)
	if errors.Is(err, wire.ErrShutdown) {
		err = errShutdown
	}
	return result, err
}

// FetchRequest implements stormrpc.DistributedRPCInvocations. It never blocks; a request without an id is none.
func (s service) FetchRequest(_ context.Context, function string) (*stormrpc.DRPCRequest, error) {
	id, args, _ := s.book.fetch(function)
	return &stormrpc.DRPCRequest{FuncArgs_: args, RequestID: id}, nil
}

// AwaitRequest implements stormrpc.GearstormDRPC.
func (s service) AwaitRequest(ctx context.Context, function string) (*stormrpc.DRPCRequest, error) {
	id, args, _ := s.book.await(ctx, function)
	return &stormrpc.DRPCRequest{FuncArgs_: args, RequestID: id}, nil
}

// Result_ implements stormrpc.DistributedRPCInvocations.
func (s service) Result_(_ context.Context, id, result string) error {
	s.book.settle(id, outcome{result: result})
	return nil
}

// FailRequest implements stormrpc.DistributedRPCInvocations.
func (s service) FailRequest(ctx context.Context, id string) error {
	return s.FailRequestV2(ctx, id, nil)
}

// FailRequestV2 implements stormrpc.DistributedRPCInvocations.
func (s service) FailRequestV2(_ context.Context, id string, why *stormrpc.DRPCExecutionException) error {
	if why == nil {
		why = errFailed
	}
	s.book.settle(id, outcome{failure: why})
	return nil
}
