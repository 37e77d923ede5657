package redistest_test

import (
	"net"
	"testing"

	"github.com/gearstorm/gearstorm/internal/redistest"
)

func TestServerComesAndGoes(t *testing.T) {
	s := redistest.New(t)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.Stop()
	s.Stop()
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("it serves on")
	}
}
