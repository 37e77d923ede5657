package jvmhost

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// The test binary plays the Java side, without Java: an echo that behaves as the environment says.
const (
	peerMode = "GEARSTORM_TEST_PEER"
	peerOnce = "GEARSTORM_TEST_PEER_ONCE" // a file: who makes it misbehaves, later lives do not
)

// fake returns a Config whose process is the test binary, playing mode in its first life and a good echo later.
func fake(t *testing.T, mode string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(peerMode, mode)
	t.Setenv(peerOnce, t.TempDir()+"/misbehaved")
	return Config{Java: self, Args: []string{"-peer"}, FirstWait: time.Millisecond}
}

func playPeer(mode string) int {
	if f, err := os.OpenFile(os.Getenv(peerOnce), os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		f.Close()
	} else if mode != "slow" && mode != "counts" {
		mode = "good"
	}
	orders := bufio.NewScanner(os.Stdin)
	orders.Scan()
	path, secret, _ := strings.Cut(orders.Text(), " ")
	tok, err := hex.DecodeString(secret)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if mode == "silent" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	}
	ctl, err := dialControl(path, tok)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for orders.Scan() {
		order, rest, _ := strings.Cut(orders.Text(), " ")
		switch order {
		case "tell":
			fmt.Println("told", rest)
			if mode == "keeps" {
				close(released)
			}
			continue
		case "begin":
			continue
		case "ping":
			if mode != "deaf" {
				_, _ = ctl.Write([]byte{1, 0, 0, 0, framePong})
			}
			continue
		}
		id, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		go func() {
			p := &peer{mode: mode}
			var over *net.OpError // the connection has ended: Go knows why
			if err := p.serve(path, tok, id); err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &over) {
				fmt.Println(err)
				os.Exit(1)
			}
		}()
	}
	if mode == "stubborn" {
		time.Sleep(time.Minute)
	}
	return 0
}

// dialControl opens the channel on which pings are answered.
func dialControl(path string, tok []byte) (net.Conn, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	hello := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16([]byte(magic), version), controlChannel)
	if _, err := conn.Write(append(hello, tok...)); err != nil {
		return nil, err
	}
	var answer [7]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[6] != welcome {
		return nil, fmt.Errorf("control channel: status %d", answer[6])
	}
	return conn, nil
}

// released is closed when the peer that keeps tuples settles them.
var released = make(chan struct{})

// peer is one channel. It reads eagerly, as far as it is sent to, and echoes what is queued.
type peer struct {
	mode    string
	conn    net.Conn
	outputs []Output

	mu     sync.Mutex
	cond   sync.Cond
	queue  [][]byte
	worst  int // frames queued at once
	bytes  int
	credit int
	ended  error
	state  []byte // what it begins with
	count  int64  // in mode counts: rows so far
}

func (p *peer) serve(path string, tok []byte, id uint64) (err error) {
	p.cond.L = &p.mu
	if p.conn, err = net.Dial("unix", path); err != nil {
		return err
	}
	v := uint16(version)
	switch p.mode {
	case "version":
		v++
	case "token":
		tok[0]++
	case "channel":
		id += 1000
	}
	hello := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint16([]byte(magic), v), id)
	if _, err := p.conn.Write(append(hello, tok...)); err != nil {
		return err
	}
	var answer [7]byte
	if _, err := io.ReadFull(p.conn, answer[:]); err != nil {
		return err
	}
	if answer[6] != welcome {
		return fmt.Errorf("status %d", answer[6])
	}
	go p.read()
	for {
		body, err := p.next()
		if err != nil {
			return err
		}
		do := p.echo
		switch body[0] {
		case frameBatch:
		case frameGraph:
			do = p.skip
		default:
			do = p.counted
		}
		if err := do(body); err != nil {
			return err
		}
	}
}

func (p *peer) read() {
	r := bufio.NewReader(p.conn)
	for {
		var head [4]byte
		_, err := io.ReadFull(r, head[:])
		body := make([]byte, binary.LittleEndian.Uint32(head[:]))
		if err == nil {
			_, err = io.ReadFull(r, body)
		}
		p.mu.Lock()
		switch {
		case err != nil:
			p.ended = err
		case body[0] == frameStart:
			rd := codec.NewReader(body[1:], ErrFrame)
			rd.Varint()
			rd.Uint64()
			p.credit = int(rd.Uint32())
			for range rd.Uvarint() {
				o := Output{Stream: rd.Text()}
				for range rd.Uvarint() {
					o.Tasks = append(o.Tasks, gearcore.TaskID(rd.Varint()))
				}
				p.outputs = append(p.outputs, o)
			}
			if p.mode == "refuses" {
				_, _ = p.conn.Write(append([]byte{27, 0, 0, 0, frameGone}, "java.lang.Error: not today"...))
				break
			}
			ready := []byte{2, 0, 0, 0, frameReady, 0}
			if p.mode == "counts" {
				ready[5] = 1
				if len(p.state) > 0 {
					p.count = int64(binary.LittleEndian.Uint64(p.state[4:]))
				}
			}
			_, _ = p.conn.Write(ready)
		case body[0] == frameState:
			p.state = append(p.state, body[1:]...)
		case body[0] == frameGrant:
			n, _ := binary.Uvarint(body[1:])
			p.credit += int(n)
		default:
			p.queue = append(p.queue, body)
			p.bytes += len(body)
			p.worst = max(p.worst, len(p.queue))
		}
		p.cond.Broadcast()
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *peer) next() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == 0 && p.ended == nil {
		p.cond.Wait()
	}
	if len(p.queue) == 0 {
		return nil, p.ended
	}
	return p.queue[0], nil
}

// echo answers one batch frame.
func (p *peer) echo(body []byte) error {
	r := codec.NewReader(body[1:], ErrFrame)
	handle := r.Uint64()
	n := r.Uint32()
	out := binary.LittleEndian.AppendUint32(beginFrame(nil, frameEmit), n*uint32(len(p.outputs)))
	arity := 0
	for row := range n {
		if r.Byte()&bitHead != 0 {
			r.Uvarint()
			r.Varint()
			arity = int(r.Uvarint())
		}
		var vals []gearcore.Value
		for range arity {
			vals = append(vals, r.Value())
		}
		if p.mode == "counts" {
			vals[0] = gearcore.Long(p.count)
			p.count++
		}
		for i, o := range p.outputs {
			out = binary.AppendUvarint(append(out, bitHead|anchorList<<anchorShift), uint64(i))
			out = append(out, 0)
			if len(o.Tasks) > 0 {
				out[len(out)-1] = 2
				idx := make([]int, arity)
				for j := range idx {
					idx[j] = j
				}
				to := o.Tasks[gearcore.FloorMod(gearcore.FieldsHash(vals, idx, gearcore.HashJava), len(o.Tasks))]
				out = binary.AppendVarint(out, int64(to))
			}
			out = append(out, byte(arity), 1)
			out = binary.AppendUvarint(binary.AppendUvarint(out, handle), uint64(row))
			for _, v := range vals {
				out, _ = codec.Append(out, v)
			}
		}
	}
	if r.Err != nil || len(r.Rest) > 0 {
		return fmt.Errorf("batch frame: %v, %d bytes left", r.Err, len(r.Rest))
	}
	endFrame(out, 0)
	if p.mode != "good" && p.mode != "slow" && p.mode != "keeps" && p.mode != "counts" {
		if handle == 3 {
			return p.misbehave(handle, n)
		}
	}
	if p.mode == "slow" {
		time.Sleep(2 * time.Millisecond)
	}
	p.mu.Lock()
	for p.credit <= 0 && p.ended == nil {
		p.cond.Wait()
	}
	p.credit -= len(out)
	worst := p.worst
	p.mu.Unlock()
	if p.mode == "slow" && worst > slowWindow {
		return fmt.Errorf("%d frames at once, the window is %d", worst, slowWindow)
	}
	settle := append(beginFrame(nil, frameSettle), 1)
	settle = binary.AppendUvarint(append(binary.AppendUvarint(settle, handle), 0), uint64(n))
	endFrame(settle, 0)
	if p.mode == "keeps" {
		go func() {
			<-released
			_, _ = p.conn.Write(settle)
		}()
	} else {
		out = append(out, settle...)
	}
	at := len(out)
	out = binary.LittleEndian.AppendUint64(beginFrame(out, frameConsumed), handle)
	endFrame(out, at)
	p.mu.Lock()
	p.queue = p.queue[1:]
	p.mu.Unlock()
	_, err := p.conn.Write(out)
	return err
}

// skip does nothing about a frame.
func (p *peer) skip([]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = p.queue[1:]
	return nil
}

// statePad is by how much the states of tests are longer than what they say: they are in several frames, and in a file.
const statePad = 600_000

// counted answers frames about the state. The state at a checkpoint is behind a number that is emitted for it.
func (p *peer) counted(body []byte) error {
	p.mu.Lock()
	p.queue = p.queue[1:]
	p.mu.Unlock()
	epoch := binary.LittleEndian.Uint64(body[1:])
	if body[0] == frameCommit {
		return nil
	}
	out := append(beginFrame(nil, frameEmit), 1, 0, 0, 0, bitHead, 0, 0, 1)
	out, _ = codec.Append(out, gearcore.Long(p.count))
	endFrame(out, 0)
	p.count++
	state := binary.LittleEndian.AppendUint64([]byte{1, 0, 0, 0}, uint64(p.count))
	out = appendState(out, append(state, make([]byte, statePad)...))
	at := len(out)
	out = binary.LittleEndian.AppendUint64(beginFrame(out, frameFrozen), epoch)
	endFrame(out, at)
	_, err := p.conn.Write(out)
	return err
}

// slowWindow is the window of the slow peer.
const slowWindow = 4

// misbehave breaks the contract and waits for the end.
func (p *peer) misbehave(handle uint64, n uint32) error {
	kind, body := frameSettle, []byte(nil)
	settle := func(op byte, handle, from, n uint64) {
		body = binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint([]byte{op}, handle), from), n)
	}
	emit := func(row ...byte) {
		kind, body = frameEmit, append([]byte{1, 0, 0, 0}, row...)
	}
	switch p.mode {
	case "unknown frame":
		kind, body = 77, []byte{1}
	case "unknown handle":
		settle(1, handle+1_000_000, 0, 1)
	case "row too high":
		settle(1, handle, uint64(n), 1)
	case "no rows":
		settle(1, handle, 0, 0)
	case "unknown op":
		settle(9, handle, 0, 1)
	case "executed too much":
		kind, body = frameConsumed, binary.LittleEndian.AppendUint64(nil, handle+1_000_000)
	case "executed twice":
		kind, body = frameConsumed, binary.LittleEndian.AppendUint64(nil, handle-1)
	case "unknown output":
		emit(bitHead, 9, 0, 1, byte(gearcore.KindNull))
	case "unknown task":
		emit(bitHead, 0, 2, 120, 1, byte(gearcore.KindNull))
	case "too many values":
		emit(bitHead, 0, 0, 2, byte(gearcore.KindNull), byte(gearcore.KindNull))
	case "no head":
		emit(0)
	case "unknown anchor":
		emit(bitHead|anchorList<<anchorShift, 0, 0, 1, 1, 120, 0, byte(gearcore.KindNull))
	case "unknown kind of value":
		emit(bitHead, 0, 0, 1, 99)
	case "half a frame":
		emit(bitHead, 0)
	case "long length":
		_, err := p.conn.Write([]byte{255, 255, 255, 255, 4})
		return errors.Join(err, p.wait())
	case "exit":
		return errors.New("it was meant to end")
	case "gone":
		kind, body = frameGone, []byte("java.lang.Error: enough")
		frame := append(beginFrame(nil, kind), body...)
		endFrame(frame, 0)
		_, err := p.conn.Write(frame)
		p.conn.Close()
		return errors.Join(err, io.EOF)
	case "close":
		p.conn.Close()
		select {} // the process is killed
	}
	out := append(beginFrame(nil, kind), body...)
	endFrame(out, 0)
	_, err := p.conn.Write(out)
	return errors.Join(err, p.wait())
}

// wait waits until the other side is gone, which kills this process.
func (p *peer) wait() error {
	time.Sleep(time.Minute)
	return errors.New("nobody minded")
}
