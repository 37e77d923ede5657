package wire

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// heartbeat is a SupervisorWorkerHeartbeat whose time_secs, field 3, is written as i32 or i64, and after it a field that nobody
// knows, of type i32 and id 9.
func heartbeat(wide bool, secs uint32) []byte {
	b := []byte("\x0b\x00\x01\x00\x00\x00\x01t\x0f\x00\x02\x0c\x00\x00\x00\x00")
	if wide {
		b = binary.BigEndian.AppendUint64(append(b, 10, 0, 3), uint64(secs))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, 8, 0, 3), secs)
	}
	return append(b, 8, 0, 9, 0, 0, 0, 1, 0)
}

func TestWideField(t *testing.T) {
	for _, wide := range []bool{false, true} {
		data := heartbeat(wide, 0x69000000)
		in := newReader(data, config(len(data), 10), nil)
		in.wide = 3
		var got stormrpc.SupervisorWorkerHeartbeat
		if err := got.Read(context.Background(), in); err != nil || got.TimeSecs != 0x69000000 {
			t.Errorf("as i64 %v: %d, %v", wide, got.TimeSecs, err)
		}
	}
	// Without the option the i32 is not what the struct wants.
	var got stormrpc.SupervisorWorkerHeartbeat
	if err := Unmarshal(heartbeat(false, 1), &got); err == nil {
		t.Error("an i32 was read as an i64 though nobody said so")
	}
	// Where the struct does not have the field at all it is skipped as long as it is.
	data := heartbeat(false, 1)
	in := newReader(data, config(len(data), 10), nil)
	in.wide = 9
	got = stormrpc.SupervisorWorkerHeartbeat{}
	if err := got.Read(context.Background(), in); err == nil || !strings.Contains(err.Error(), "TimeSecs") {
		t.Errorf("a field that is not there: %v", err)
	}
	if in.buf.Len() != 0 {
		t.Errorf("%d bytes are left", in.buf.Len())
	}
}

func TestWideFieldOfNoMethod(t *testing.T) {
	_, err := NewServer(Options{Wide: map[string]int16{"none": 3}})
	if err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("got %v", err)
	}
}
