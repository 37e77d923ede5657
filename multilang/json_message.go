package multilang

import (
	"fmt"
	"strings"
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
		key := s.frequentKey()
		var err error
		if key == "" {
			var raw []byte
			if raw, _, err = s.key(); err != nil {
				return err
			}
			key = view(raw)
		}
		switch key {
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
			err = d.jsonField(&s, m, key)
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

// frequentKey consumes one of the keys of emits and acks, written as every client writes them, and its colon; "" is another.
func (s *scanner) frequentKey() string {
	if s.next() != '"' {
		return ""
	}
	rest := view(s.b[s.i:])
	if len(rest) < 16 { // shorter than a frequent key and its value can be, or an ack's id, which the long way takes
		return ""
	}
	key := ""
	switch rest[1] {
	case 't':
		key = `"tuple":`
	case 'c':
		key = `"command":`
	case 'a':
		key = `"anchors":`
	case 'n':
		key = `"need_task_ids":`
	case 'i':
		key = `"id":`
	}
	if key == "" || !strings.HasPrefix(rest, key) {
		return ""
	}
	s.i += len(key)
	return key[1 : len(key)-2]
}

// jsonField reads the value of any other key; those that come with every emit and ack without a detour.
func (d *decoder) jsonField(s *scanner, m *message, key string) error {
	switch c := s.next(); {
	case c == '"' && key == "command" && m.command(s):
		return nil
	case c == 'f' && key == "need_task_ids":
		m.noTaskIDs = true
		return s.word("false")
	}
	v, err := s.value(1, false)
	if err != nil {
		return err
	}
	return d.field(m, key, v)
}

// command reads the command if it is one of the two most frequent.
func (m *message) command(s *scanner) bool {
	rest := s.b[s.i:]
	switch {
	case len(rest) > 6 && string(rest[:6]) == `"emit"`:
		m.cmd = cmdEmit
		s.i += 6
	case len(rest) > 5 && string(rest[:5]) == `"ack"`:
		m.cmd = cmdAck
		s.i += 5
	default:
		return false
	}
	return true
}

// shortID reads an id that this side gave, as a string without escapes.
func (s *scanner) shortID() (id uint64, ok bool) {
	j := s.i + 1
	for j < len(s.b) && s.b[j]-'0' < 10 && j-s.i <= 19 {
		id = id*10 + uint64(s.b[j]-'0')
		j++
	}
	if j == s.i+1 || j >= len(s.b) || s.b[j] != '"' {
		return 0, false
	}
	s.i = j + 1
	return id, true
}

// jsonTuple appends the elements of a list to in.vals.
func (d *decoder) jsonTuple(s *scanner, in *inbound) error {
	if err := s.expect('['); err != nil {
		return fmt.Errorf(`"tuple" is not a list: %w`, err)
	}
	s.whole = true
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
	s.whole = false
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
		var err error
		if err = d.jsonAnchor(s, in); err != nil {
			return err
		}
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) jsonAnchor(s *scanner, in *inbound) error {
	if s.next() == '"' {
		if id, ok := s.shortID(); ok {
			if s.left--; s.left < 0 {
				return tooLarge("a number of values", s.limits.Values)
			}
			in.anchors = append(in.anchors, id)
			return nil
		}
	}
	v, err := s.value(2, false)
	if err != nil {
		return err
	}
	return d.anchor(in, v)
}
