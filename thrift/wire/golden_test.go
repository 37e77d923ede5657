package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/budget"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// message builds TBinaryProtocol by hand, from the protocol's description and not with the library.
type message []byte

func (m message) bytes(p ...byte) message        { return append(m, p...) }
func (m message) i16(v int16) message            { return binary.BigEndian.AppendUint16(m, uint16(v)) }
func (m message) i32(v int32) message            { return binary.BigEndian.AppendUint32(m, uint32(v)) }
func (m message) str(s string) message           { return append(m.i32(int32(len(s))), s...) }
func (m message) field(t byte, id int16) message { return m.bytes(t).i16(id) }
func (m message) stop() message                  { return m.bytes(0) }

// Type bytes of TBinaryProtocol.
const (
	tBool, tI32, tI64, tString, tStruct, tMap, tSet, tList byte = 2, 8, 10, 11, 12, 13, 14, 15
)

// strict and old begin a message with and without the version word.
func strict(method string, kind byte, seq int32) message {
	return message{0x80, 0x01, 0x00, kind}.str(method).i32(seq)
}

func old(method string, kind byte, seq int32) message {
	return message{}.str(method).bytes(kind).i32(seq)
}

func (m message) frame() []byte { return append(message{}.i32(int32(len(m))), m...) }

// exchange sends bytes as they are and reads one frame.
func exchange(t testing.TB, addr string, sent []byte) message {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	reply, err := readFrame(conn, 1<<20, nil)
	if err != nil {
		t.Fatalf("read reply: %v", err)
	}
	return reply
}

func TestBytesOnTheWire(t *testing.T) {
	leader := func(m message) message {
		return m.field(tStruct, 0).
			field(tString, 1).str("nimbus.example").field(tI32, 2).i32(6627).field(tI32, 3).i32(1).
			field(tBool, 4).bytes(1).field(tString, 5).str("2.8.3").stop().stop()
	}
	killed := ""
	tests := []struct {
		name       string
		send, want message
	}{
		{"strict", strict("getLeader", 1, 1).stop(), leader(strict("getLeader", 2, 1))},
		{"sequence id 0, as streamparse", strict("getLeader", 1, 0).stop(), leader(strict("getLeader", 2, 0))},
		{"negative sequence id", strict("getLeader", 1, -7).stop(), leader(strict("getLeader", 2, -7))},
		{"old style in, strict out", old("getLeader", 1, 5).stop(), leader(strict("getLeader", 2, 5))},
		{"unknown field is skipped",
			strict("getLeader", 1, 2).field(tMap, 9).bytes(tString, tI64).i32(0).stop(), leader(strict("getLeader", 2, 2))},
		{"void", strict("killTopology", 1, 3).field(tString, 1).str("words").stop(), strict("killTopology", 2, 3).stop()},
		{"declared exception", strict("killTopology", 1, 4).field(tString, 1).str("gone").stop(),
			strict("killTopology", 2, 4).field(tStruct, 1).field(tString, 1).str("gone is not alive").stop().stop()},
		{"null result", strict("getNimbusConf", 1, 6).stop(), strict("getNimbusConf", 2, 6).stop()},
		{"unknown method", strict("beginFileDownload", 1, 8).field(tString, 1).str("x").stop(),
			strict("beginFileDownload", 3, 8).field(tString, 1).str("Invalid method name: 'beginFileDownload'").
				field(tI32, 2).i32(1).stop()},
		{"undeclared error", strict("getClusterInfo", 1, 9).stop(),
			strict("getClusterInfo", 3, 9).field(tString, 1).str("Internal error processing getClusterInfo").
				field(tI32, 2).i32(6).stop()},
	}
	addr, _, _ := start(t, Options{}, &nimbus{
		conf: func(context.Context) (string, error) { return "", ErrUnknownResult },
		kill: func(_ context.Context, name string) error {
			if killed = name; name == "gone" {
				return &stormrpc.NotAliveException{Msg: name + " is not alive"}
			}
			return nil
		},
	}, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exchange(t, addr, tt.send.frame()); !bytes.Equal(got, tt.want) {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
		})
	}
	if killed != "gone" {
		t.Errorf("last name that reached the handler: %q", killed)
	}
}

// A submit as Storm's client sends it: maps keyed by structs, unions, nested lists.
func TestSubmitDecodes(t *testing.T) {
	stream := message{}.field(tString, 1).str("spout").field(tString, 2).str("default").stop()
	shuffle := message{}.field(tStruct, 2).stop().stop()
	output := message{}.field(tList, 1).bytes(tString).i32(1).str("word").field(tBool, 2).bytes(0).stop()
	common := message{}.
		field(tMap, 1).bytes(tStruct, tStruct).i32(1).bytes(stream...).bytes(shuffle...).
		field(tMap, 2).bytes(tString, tStruct).i32(1).str("default").bytes(output...).
		field(tI32, 3).i32(4).field(tString, 4).str("{}").stop()
	object := message{}.field(tStruct, 2).
		field(tString, 1).str("streamparse_run").field(tString, 2).str("-s json bolts.Count").stop().stop()
	topology := message{}.
		field(tMap, 1).bytes(tString, tStruct).i32(0).
		field(tMap, 2).bytes(tString, tStruct).i32(1).str("count").
		field(tStruct, 1).bytes(object...).field(tStruct, 2).bytes(common...).stop().
		field(tMap, 3).bytes(tString, tStruct).i32(0).
		field(tList, 4).bytes(tString).i32(1).str("hook").stop()

	var got stormrpc.StormTopology
	if err := Unmarshal(topology, &got); err != nil {
		t.Fatal(err)
	}
	bolt := got.Bolts["count"]
	in := bolt.Common.Inputs
	switch {
	case len(in) != 1 || in[0].Key.ComponentId != "spout" || in[0].Key.StreamId != "default" || in[0].Value.Shuffle == nil:
		t.Errorf("inputs %v", in)
	case bolt.BoltObject.Shell.GetScript() != "-s json bolts.Count":
		t.Errorf("object %v", bolt.BoltObject)
	case *bolt.Common.ParallelismHint != 4 || *bolt.Common.JSONConf != "{}":
		t.Errorf("common %v", bolt.Common)
	case bolt.Common.Streams["default"].OutputFields[0] != "word":
		t.Errorf("streams %v", bolt.Common.Streams)
	case string(got.WorkerHooks[0]) != "hook":
		t.Errorf("hooks %v", got.WorkerHooks)
	}
	again, err := Marshal(&got)
	if err != nil || !bytes.Equal(again, topology) {
		t.Errorf("marshalled again: %q, %v; want %q", again, err, topology)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	id := message{}.field(tString, 1).str("a").field(tString, 2).str("b")
	for name, tt := range map[string]struct {
		data message
		want string
	}{
		"required field missing": {message{}.field(tString, 1).str("a").stop(), "StreamId is not set"},
		"bytes after the end":    {id.stop().bytes(1, 2), "2 bytes after the end"},
		"cut off":                {id, "EOF"},
		"nothing":                {nil, "EOF"},
		"string over the end":    {message{}.field(tString, 1).i32(1 << 30), "size exceeded"},
	} {
		if err := Unmarshal(tt.data, stormrpc.NewGlobalStreamId()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestMarshalRefusesAnEmptyUnion(t *testing.T) {
	if _, err := Marshal(&stormrpc.Grouping{}); err == nil || !strings.Contains(err.Error(), "exactly one field") {
		t.Errorf("got %v", err)
	}
}

func TestOneByteAtATime(t *testing.T) {
	addr, _, _ := start(t, Options{}, &nimbus{}, nil)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range strict("getLeader", 1, 1).stop().frame() {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := readFrame(conn, 1<<20, nil); err != nil || !bytes.HasPrefix(reply, strict("getLeader", 2, 1)) {
		t.Errorf("got %q, %v", reply, err)
	}
}

func TestRequestsSentAhead(t *testing.T) {
	for name, opts := range map[string]Options{"ordinary": {}, "held": {Held: []string{"getLeader"}}} {
		t.Run(name, func(t *testing.T) {
			addr, _, _ := start(t, opts, &nimbus{}, nil)
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var sent []byte
			for seq := range int32(20) {
				sent = append(sent, strict("getLeader", 1, seq).stop().frame()...)
			}
			if _, err := conn.Write(sent); err != nil {
				t.Fatal(err)
			}
			for seq := range int32(20) {
				if reply, err := readFrame(conn, 1<<20, nil); err != nil || !bytes.HasPrefix(reply, strict("getLeader", 2, seq)) {
					t.Fatalf("reply %d: %q, %v", seq, reply, err)
				}
			}
		})
	}
}

func TestReadFrameAtTheLimit(t *testing.T) {
	for _, n := range []int{1, firstRead - 1, firstRead, firstRead + 1, 4 * firstRead, 100_000} {
		body := bytes.Repeat([]byte{7}, n)
		b := budget.Bytes{Limit: 1 << 20}
		got, err := readFrame(bytes.NewReader(message(body).frame()), n, &b)
		if err != nil || !bytes.Equal(got, body) || b.Used() != int64(cap(got)) {
			t.Errorf("%d bytes: got %d, %v, budget holds %d", n, len(got), err, b.Used())
		}
		b.Give(cap(got))
		for name, tt := range map[string]struct {
			in   []byte
			want error
		}{
			"over":    {message(append(body, 7)).frame(), ErrFrameTooLarge},
			"cut off": {message(body).frame()[:n+3], io.ErrUnexpectedEOF},
		} {
			if _, err := readFrame(bytes.NewReader(tt.in), n, &b); !errors.Is(err, tt.want) || b.Used() != 0 {
				t.Errorf("%d bytes, %s: %v, budget holds %d", n, name, err, b.Used())
			}
		}
	}
}
