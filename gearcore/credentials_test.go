package gearcore

import (
	"maps"
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
