// Package cephtest starts a real Ceph for tests: a monitor, an OSD that keeps all in one file, and a gateway that speaks S3, each a process of
// its own on loopback ports, with their state in a folder that goes with them. They can be killed and started again, by themselves or all at once.
//
// It needs Ceph's programs on the path (Debian: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw); [New] skips the test without
// them, or fails it when CI=true.
package cephtest
