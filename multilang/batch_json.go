package multilang

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// jsonOp reads one operation.
func (d *decoder) jsonOp(s *scanner, in *inbound, m *message) (hasTuple bool, err error) {
	switch c := s.next(); {
	case c == 'n':
		m.cmd = cmdSync
		return false, s.word("null")
	case c >= '0' && c <= '9':
		m.cmd = cmdAck
		m.id, err = s.value(1, true)
		return false, err
	case c != '[':
		return false, s.unexpected("an operation")
	}
	s.i++
	code := s.next()
	s.i++
	if err := s.expect(','); err != nil {
		return false, err
	}
	switch code {
	case '0' + opEmit, '0' + opEmitMore:
		m.cmd, m.noTaskIDs = cmdEmit, true
		m.anchors.from = len(in.anchors)
		if err = d.jsonAnchors(s, in); err == nil {
			err = s.expect(',')
		}
		if err != nil {
			return true, err
		}
		m.anchors.to, m.vals.from = len(in.anchors), len(in.vals)
		err = d.jsonTuple(s, in)
		m.vals.to = len(in.vals)
		for at := 3; err == nil && code == '0'+opEmitMore && at < 7; at++ {
			var v gearcore.Value
			if err = s.expect(','); err == nil {
				v, err = s.value(1, false)
			}
			if err == nil {
				err = d.more(m, at, v)
			}
		}
		hasTuple = true
	case '0' + opState:
		m.cmd = cmdState
		for at := 0; at < 3 && err == nil; at++ {
			var v gearcore.Value
			if v, err = s.value(1, false); err == nil {
				err = m.change.set(at, v)
			}
			if err == nil {
				err = s.expect(',')
			}
		}
		if err == nil {
			m.vals.from = len(in.vals)
			err = d.jsonTuple(s, in)
			m.vals.to = len(in.vals)
		}
	case '0' + opFail:
		m.cmd = cmdFail
		m.id, err = s.value(1, true)
	case '0' + opMessage:
		var v gearcore.Value
		if v, err = s.value(1, false); err == nil {
			err = d.fields(m, v)
		}
	default:
		err = fmt.Errorf("operation %q is not known", code)
	}
	if err == nil {
		err = s.expect(']')
	}
	return hasTuple, err
}

// fields stores all keys of a message; "tuple" and "anchors" have operations of their own.
func (d *decoder) fields(m *message, v gearcore.Value) error {
	if v.Kind() != gearcore.KindMap {
		return fmt.Errorf("a message that is no map: %s", excerpt([]byte(v.Text())))
	}
	for _, p := range v.Map() {
		if err := d.field(m, p.Key.Str(), p.Val); err != nil {
			return err
		}
	}
	if m.cmd == cmdEmit || m.cmd == cmdAck || m.cmd == cmdFail {
		return fmt.Errorf("a message that has an operation of its own")
	}
	return nil
}
