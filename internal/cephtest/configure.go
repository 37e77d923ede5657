package cephtest

import (
	"fmt"
	"os"
	"path/filepath"
)

// Names of the cluster, of its OSD and of its gateway.
const (
	fsid    = "5cf0ba7e-0c5e-4c0f-9a52-5c7a6e1f0a01"
	osdID   = "5cf0ba7e-0c5e-4c0f-9a52-5c7a6e1f0a02"
	gateway = "client.rgw"
)

func (c *Cluster) conf() string { return filepath.Join(c.dir, "ceph.conf") }

// monitors is where the monitor is, as Ceph writes addresses.
func (c *Cluster) monitors() string { return "[v2:" + c.mon + "/0]" }

// configure writes the file that all programs read: one copy of each object, no passwords within the cluster, little memory.
func (c *Cluster) configure() error {
	text := fmt.Sprintf(`[global]
fsid = %[1]s
mon initial members = a
mon host = %[2]s
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = %[3]s
crash dir = %[3]s
admin socket =
log file =
log to stderr = true
err to stderr = true
mon cluster log to file = false
mon data = %[3]s/mon
mon allow pool size one = true
mon max pg per osd = 1000
osd data = %[3]s/osd
osd objectstore = bluestore
bluestore block size = 10737418240
bluestore cache autotune = false
bluestore cache size = 67108864
osd memory target = 939524096
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[%[4]s]
rgw data = %[3]s/rgw
rgw frontends = beast endpoint=%[5]s
rgw thread pool size = 64
rgw override bucket index max shards = 1
rgw dynamic resharding = false
`, fsid, c.monitors(), c.dir, gateway, c.gateway)
	for _, d := range []string{"mon", "osd", "rgw"} {
		if err := os.Mkdir(filepath.Join(c.dir, d), 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(c.conf(), []byte(text), 0o600)
}
