package zk

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// oldestRelease is the first of ZooKeeper's that has all that we ask for and still is in use; tests run against the newest.
var oldestRelease = [2]int{3, 5}

// warnIfOld asks the server for its release, by a connection of its own, and warns if it is older than what is supported. A
// server that does not tell (a firewall, the command switched off) is believed to be new enough.
func (s *Store) warnIfOld(server string) {
	release := askRelease(s.life, server)
	var got [2]int
	if _, err := fmt.Sscanf(release, "%d.%d", &got[0], &got[1]); err != nil {
		return
	}
	if got[0] < oldestRelease[0] || got[0] == oldestRelease[0] && got[1] < oldestRelease[1] {
		s.log.Warn("ZooKeeper is older than what is supported", "server", server, "release", release,
			"supported", fmt.Sprintf("%d.%d", oldestRelease[0], oldestRelease[1]))
	}
}

// askRelease returns something like "3.9.5-0123abc", or nothing.
func askRelease(ctx context.Context, server string) string {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return ""
	}
	defer conn.Close()
	unhook := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
	defer unhook()
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return ""
	}
	answer, _ := io.ReadAll(io.LimitReader(conn, 4096)) // what came before an error is as good
	_, rest, _ := strings.Cut(string(answer), "Zookeeper version: ")
	release, _, _ := strings.Cut(rest, ",")
	return release
}
