package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// fuzzed serves every method of four services, most of them with handlers that panic for being nil. A panic before the
// arguments were decoded is not a handler's and goes to bad.
func fuzzed(t testing.TB, bad func(any)) *dispatcher {
	t.Helper()
	o, err := Options{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDispatcher(o, []thrift.TProcessor{
		stormrpc.NewNimbusProcessor(&nimbus{}), stormrpc.NewGearstormProcessor(&plans{}),
		stormrpc.NewDistributedRPCProcessor(nil), stormrpc.NewDistributedRPCInvocationsProcessor(nil), stormrpc.NewGearstormDRPCProcessor(nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range d.methods {
		d.methods[name] = thrift.WrappedTProcessorFunction{
			Wrapped: func(ctx context.Context, seq int32, in, out thrift.TProtocol) (bool, thrift.TException) {
				defer func() {
					if v := recover(); v != nil {
						if in.(*reader).release != nil {
							bad(v)
						}
						panic(v)
					}
				}()
				return f.Process(ctx, seq, in, out)
			},
		}
	}
	return d
}

// Any frame either closes the connection or is answered by one message with its method and sequence id, and decoding never
// panics. The buffer is released exactly once.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(strict("getLeader", 1, 1).stop()))
	f.Add([]byte(old("getLeader", 1, 1).stop()))
	f.Add([]byte(strict("killTopology", 1, 2).field(tString, 1).str("words").stop()))
	f.Add([]byte(strict("execute", 4, 3).field(tString, 1).str("f").field(tString, 2).str("a").stop()))
	f.Add([]byte(strict("rebalance", 1, 4).field(tString, 1).str("t").field(tStruct, 2).field(tI32, 1).i32(1).
		field(tMap, 3).bytes(tString, tI32).i32(1).str("b").i32(2).stop().stop()))
	f.Add([]byte(strict("setLogConfig", 1, 5).field(tString, 1).str("id").field(tStruct, 2).field(tMap, 2).
		bytes(tString, tStruct).i32(1).str("l").field(tI32, 1).i32(2).stop().stop().stop()))
	f.Add([]byte(strict("setWorkerProfiler", 1, 6).field(tString, 1).str("id").field(tStruct, 2).field(tStruct, 1).
		field(tString, 1).str("n").field(tSet, 2).bytes(tI64).i32(1).bytes(0, 0, 0, 0, 0, 0, 0, 1).stop().stop().stop()))
	f.Add([]byte(nested(70)))
	if args, err := Marshal(&stormrpc.GearstormSyncNodeArgs{Report: report(), KnownVersion: 1, WaitMs: 2}); err == nil {
		f.Add([]byte(strict("syncNode", 1, 7).bytes(args...)))
	} else {
		f.Fatal(err)
	}
	var panicked any
	d := fuzzed(f, func(v any) { panicked = v })
	f.Fuzz(func(t *testing.T, frame []byte) {
		released := 0
		ctx := context.Background()
		c, err := d.parse(ctx, frame, func() { released++ })
		if err != nil {
			if released != 1 {
				t.Fatalf("released %d times after %v", released, err)
			}
			return
		}
		var out bytes.Buffer
		c.serve(ctx, &out)
		if released != 1 {
			t.Fatalf("released %d times", released)
		}
		if panicked != nil {
			t.Fatalf("decoding panicked: %v", panicked)
		}
		reply := out.Bytes()
		if got := binary.BigEndian.Uint32(reply); int(got) != len(reply)-frameHeader {
			t.Fatalf("frame length %d of %d bytes", got, len(reply))
		}
		in := newReader(reply[frameHeader:], config(1<<20, maxTrustedContainer), nil)
		method, kind, seq, err := in.ReadMessageBegin(ctx)
		if err != nil || method != c.method || seq != c.seq || kind != thrift.REPLY && kind != thrift.EXCEPTION {
			t.Fatalf("reply %q: %v", reply, err)
		}
		if err := in.Skip(ctx, thrift.STRUCT); err != nil || in.buf.Len() != 0 {
			t.Fatalf("reply %q: %v, %d bytes left", reply, err, in.buf.Len())
		}
	})
}

func FuzzUnmarshalTopology(f *testing.F) {
	f.Add([]byte(message{}.field(tMap, 1).bytes(tString, tStruct).i32(0).field(tMap, 2).bytes(tString, tStruct).i32(0).
		field(tMap, 3).bytes(tString, tStruct).i32(0).stop()))
	f.Fuzz(func(t *testing.T, data []byte) {
		var topology, same, again stormrpc.StormTopology
		if Unmarshal(data, &topology) != nil {
			return
		}
		if err := Unmarshal(data, &same); err != nil {
			t.Fatal(err)
		}
		if !topology.Equals(&same) {
			return // it holds a NaN
		}
		encoded, err := Marshal(&topology)
		if err != nil {
			return // an empty union, or a key twice
		}
		if err := Unmarshal(encoded, &again); err != nil || !topology.Equals(&again) {
			t.Fatalf("%v became %v: %v", &topology, &again, err)
		}
	})
}
