package supervisor

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A worker of Storm 2.8 sends the time of its heartbeat as i32, one of 3.0 as i64.
func TestHeartbeatOfBothReleases(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	n.ready("a-1-1", port)
	for release, secs := range map[string]string{"2.8": "\x08\x00\x03\x69\x00\x00\x00", "3.0": "\x0a\x00\x03\x00\x00\x00\x00\x69\x00\x00\x00"} {
		const executor = "\x08\x00\x01\x00\x00\x00\x01\x08\x00\x02\x00\x00\x00\x01\x00"
		message := "\x80\x01\x00\x01\x00\x00\x00\x1dsendSupervisorWorkerHeartbeat\x00\x00\x00\x07" +
			"\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x05a-1-1\x0f\x00\x02\x0c\x00\x00\x00\x01" + executor + secs + "\x00\x00"
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)); err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 4)
		if _, err := io.ReadFull(conn, head); err != nil {
			t.Fatal(err)
		}
		reply := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(conn, reply); err != nil || !strings.HasPrefix(string(reply), "\x80\x01\x00\x02") {
			t.Errorf("a heartbeat of %s is answered with %q, %v", release, reply, err)
		}
	}
}
