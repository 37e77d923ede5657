package multilang

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// frames reads r to its end.
func frames(r io.Reader, limits Limits, msgpack bool) (out []string, err error) {
	f := newFrameReader(r, &limits, msgpack)
	for {
		frame, ok, err := f.next()
		if err != nil {
			return out, err
		}
		if ok {
			out = append(out, string(frame))
			continue
		}
		if err := f.fill(); err != nil {
			return out, err
		}
	}
}

func TestFrames(t *testing.T) {
	big := `"` + strings.Repeat("x", 300<<10) + `"`
	jsonWant := []string{`{"a":1}`, "{\n\"a\":\n\n1}", ``, `"\nend\n"`, big, ` end`, `[]`}
	jsonText := strings.Join(jsonWant, jsonEnd) + jsonEnd
	// An empty message is a line "end" right after another.
	jsonText = strings.Replace(jsonText, jsonEnd+jsonEnd, jsonEnd+jsonEndLine, 1)
	var packText []byte
	packWant := []string{"\x80", "\x81\xa1a\x01", "\x93\x01\x02\x92\xc0\xc3", "\xc0", "\xdb\x00\x05\x00\x00" + strings.Repeat("y", 5<<16), "\xcd\x01\x02"}
	for _, s := range packWant {
		packText = append(packText, s...)
	}
	for _, c := range []struct {
		name string
		text []byte
		pack bool
		want []string
	}{{"json", []byte(jsonText), false, jsonWant}, {"msgpack", packText, true, packWant}} {
		for name, r := range map[string]io.Reader{
			"whole":    bytes.NewReader(c.text),
			"bytewise": iotest.OneByteReader(bytes.NewReader(c.text)),
			"halves":   iotest.HalfReader(bytes.NewReader(c.text)),
		} {
			got, err := frames(r, DefaultLimits(), c.pack)
			if err != io.EOF || !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %d messages, %v; want %d", c.name, name, len(got), err, len(c.want))
			}
		}
	}
}

func TestFramesAreBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.MessageBytes = 100 << 10
	endless := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s), neverEnding('x')) }
	for name, c := range map[string]struct {
		r    io.Reader
		pack bool
	}{
		"json without an end": {endless(`{"a":"`), false},
		"a whole message":     {strings.NewReader(`"` + strings.Repeat("x", 100<<10) + `"` + jsonEnd), false},
		"a whole msgpack one": {strings.NewReader("\xdb\x00\x01\x90\x00" + strings.Repeat("x", 100<<10)), true},
		"msgpack string":      {endless("\xdb\x7f\xff\xff\xff"), true},
		"msgpack values":      {io.MultiReader(strings.NewReader("\xdd\x00\x0f\x00\x00"), neverEnding(1)), true},
		"msgpack list":        {endless("\xdd\x7f\xff\xff\xff"), true},
	} {
		got, err := frames(c.r, limits, c.pack)
		var perr *ProtocolError
		if len(got) != 0 || !errors.Is(err, ErrTooLarge) || !errors.As(err, &perr) || len(err.Error()) > 2000 {
			t.Errorf("%s: %d messages, %v", name, len(got), err)
		}
	}
	if _, err := frames(strings.NewReader("{}\nend\n{\"half"), limits, false); err == nil || !strings.Contains(err.Error(), `middle of a message: "{\"half"`) {
		t.Errorf("half a message: %v", err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}
