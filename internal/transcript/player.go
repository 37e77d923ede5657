package transcript

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"time"
)

// callTime is how long a server may take for an answer.
const callTime = time.Minute

// A Player makes recorded calls to another server, each on the connection that it was made on.
type Player struct {
	// Names are ids of this run by the recorded ones. It grows with what answers tell; see the package.
	Names map[string]string

	server string
	conns  map[int]net.Conn
}

// NewPlayer plays to a server. Close ends its connections.
func NewPlayer(server string) *Player {
	return &Player{Names: map[string]string{}, server: server, conns: map[int]net.Conn{}}
}

// Next ends the connections of a command; what was learned stays.
func (p *Player) Next() {
	for _, c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// Play makes a call and returns the answer, with what is worse in it than in the recorded one.
func (p *Player) Play(call Call) (answer []byte, differences []string, err error) {
	conn := p.conns[call.Conn]
	if conn == nil {
		if conn, err = net.Dial("tcp", p.server); err != nil {
			return nil, nil, err
		}
		p.conns[call.Conn] = conn
	}
	conn.SetDeadline(time.Now().Add(callTime))
	request, err := renamed(call.Request, p.Names)
	if err == nil {
		err = writeFrame(conn, request)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("call %s: %w", call.Method, err)
	}
	if answer, err = readFrame(conn); err != nil {
		return nil, nil, fmt.Errorf("answer to %s: %w", call.Method, err)
	}
	if want, err := decode(call.Answer); err == nil {
		if got, err := decode(answer); err == nil {
			learn(want.body, got.body, p.Names)
		}
	}
	return answer, Differences(call.Answer, answer, maps.Clone(p.Names)), nil
}

// renamed puts ids of this run in place of recorded ones. What has none stays as it was, byte by byte.
func renamed(call []byte, names map[string]string) ([]byte, error) {
	has := false
	for old := range names {
		has = has || bytes.Contains(call, []byte(old))
	}
	if !has {
		return call, nil
	}
	m, err := decode(call)
	if err != nil {
		return nil, err
	}
	c := comparison{names: names}
	m.body.eachText(c.rename)
	return m.encode(), nil
}
