package freeport

import (
	"net"
	"strconv"
	"testing"
)

func TestFind(t *testing.T) {
	ports, err := Find("127.0.0.1", 20)
	if err != nil || len(ports) != 20 {
		t.Fatalf("%v, %v", ports, err)
	}
	for _, port := range ports { // all at once: none twice
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil || port < first || port >= last {
			t.Errorf("port %d: %v", port, err)
			continue
		}
		defer l.Close()
	}
	if ports, err := Find("192.0.2.1", 1); err == nil { // an address of nobody's (RFC 5737)
		t.Errorf("at another's address are ports %v", ports)
	}
}
