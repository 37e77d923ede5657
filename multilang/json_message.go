package multilang

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// decodeJSON reads one message, without its "end" line, into in. On an error in holds no part of it.
func (d *decoder) decodeJSON(frame []byte, in *inbound) error {
	mark := in.begin()
	if err := d.jsonMessage(frame, in, in.last()); err != nil {
		in.rewind(mark)
		return &ProtocolError{What: "message of the child", Err: err, Excerpt: excerpt(frame)}
	}
	in.bytes += len(frame)
	return nil
}

func (d *decoder) jsonMessage(frame []byte, in *inbound, m *message) error {
	s := newScanner(frame, &d.limits, &d.text)
	if err := s.expect('{'); err != nil {
		return fmt.Errorf("not a JSON object: %w (only messages may go to standard output: print to standard error)", err)
	}
	hasTuple := false
	for more := !s.empty('}'); more; {
		key, _, err := s.key()
		if err != nil {
			return err
		}
		switch string(key) {
		case "tuple":
			hasTuple = true
			m.vals.from = len(in.vals)
			err = d.jsonTuple(&s, in)
			m.vals.to = len(in.vals)
		case "anchors":
			m.anchors.from = len(in.anchors)
			err = d.jsonAnchors(&s, in)
			m.anchors.to = len(in.anchors)
		default:
			var v gearcore.Value
			if v, err = s.value(1, false); err == nil {
				err = d.field(m, view(key), v)
			}
		}
		if err != nil {
			return err
		}
		if more, err = s.more('}'); err != nil {
			return err
		}
	}
	if s.next(); s.i < len(s.b) {
		return s.unexpected("the end of the message")
	}
	return m.complete(hasTuple)
}

// jsonTuple appends the elements of a list to in.vals.
func (d *decoder) jsonTuple(s *scanner, in *inbound) error {
	if err := s.expect('['); err != nil {
		return fmt.Errorf(`"tuple" is not a list: %w`, err)
	}
	for more := !s.empty(']'); more; {
		v, err := s.value(2, true)
		if err != nil {
			return err
		}
		in.vals = append(in.vals, v)
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}

// jsonAnchors reads a list of ids, one id, or null.
func (d *decoder) jsonAnchors(s *scanner, in *inbound) error {
	if s.next() != '[' {
		v, err := s.value(1, false)
		if err != nil || v.IsNull() {
			return err
		}
		return d.anchor(in, v)
	}
	s.i++
	for more := !s.empty(']'); more; {
		v, err := s.value(2, false)
		if err != nil {
			return err
		}
		if err = d.anchor(in, v); err != nil {
			return err
		}
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}
