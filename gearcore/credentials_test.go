package gearcore

import (
	"maps"
	"runtime"
	"testing"
)

func TestCredentials(t *testing.T) {
	var none *Credentials
	if none.Values() != nil || none.Changed() != nil {
		t.Error("nil has credentials")
	}
	var c Credentials
	changed := c.Changed()
	c.Set(nil)
	select {
	case <-changed:
		t.Fatal("told of a change when there was none")
	default:
	}
	c.Set(map[string]string{"token": "1"})
	<-changed
	next := c.Changed()
	c.Set(map[string]string{"token": "1"})
	select {
	case <-next:
		t.Fatal("told of a change to what was there")
	default:
	}
	if got := c.Values(); !maps.Equal(got, map[string]string{"token": "1"}) {
		t.Errorf("credentials %v", got)
	}
	c.Set(nil)
	<-next
}

func TestCredentialsNotify(t *testing.T) {
	var none *Credentials
	none.Notify(func() error { return nil })()
	var c Credentials
	stays, goes := make(chan string), make(chan string)
	c.Notify(func() error { stays <- c.Values()["n"]; return nil })
	c.Notify(func() error { goes <- c.Values()["n"]; return ErrClosed })
	c.Set(map[string]string{"n": "1"})
	if a, b := <-stays, <-goes; a != "1" || b != "1" {
		t.Errorf("told of %s and %s", a, b)
	}
	for { // until the second one is forgotten
		c.mu.Lock()
		left := len(c.told)
		c.mu.Unlock()
		if left == 1 {
			break
		}
		runtime.Gosched()
	}
	c.Notify(func() error { t.Error("told after the end"); return nil })()
	if n := len(c.told); n != 1 {
		t.Errorf("%d are to be told, want 1", n)
	}
	c.Set(map[string]string{"n": "2"})
	if a := <-stays; a != "2" {
		t.Errorf("told of %s", a)
	}
}
