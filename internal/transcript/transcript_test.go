package transcript

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// build makes messages for tests.
func build(method string, kind byte, seq uint32, fields ...field) []byte {
	return message{method: method, kind: kind, seq: seq, body: value{kind: kindStruct, fields: fields}}.encode()
}

func str(id int16, s string) field { return field{id, value{kind: kindString, text: s}} }
func num(id int16, n uint64) field { return field{id, value{kind: kindI32, number: n}} }
func obj(id int16, fields ...field) field {
	return field{id, value{kind: kindStruct, fields: fields}}
}

func list(id int16, items ...field) field {
	v := value{kind: kindList}
	for _, i := range items {
		v.of[1] = i.kind
		v.items = append(v.items, i.value)
	}
	return field{id, v}
}

const (
	oldID = "11111111-2222-3333-4444-555555555555"
	newID = "99999999-2222-3333-4444-555555555555"
)

// answers serves one connection after the other: the n-th call gets the n-th answer.
func answers(t *testing.T, messages ...[]byte) (addr string, got func() [][]byte) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			for {
				b, err := readFrame(conn)
				if err != nil || len(calls) == len(messages) {
					break
				}
				calls = append(calls, b)
				writeFrame(conn, messages[len(calls)-1])
			}
			conn.Close()
		}
	}()
	end := func() [][]byte { ln.Close(); <-done; return calls }
	t.Cleanup(func() { end() })
	return ln.Addr().String(), end
}

// What a proxy has recorded and a file kept is what a player sends, with the ids of the new run.
func TestRecordAndPlay(t *testing.T) {
	begin, next := build("begin", 1, 1), build("next", 1, 2, str(1, oldID), str(2, "/files/"+oldID+".jar"), num(3, 7))
	first, second := build("begin", kindReply, 1, str(0, oldID)), build("next", kindReply, 2)
	server, _ := answers(t, first, second)
	proxy, err := NewProxy(server, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	conn, err := net.Dial("tcp", proxy.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, m := range [][]byte{begin, next} {
		if err := writeFrame(conn, m); err != nil {
			t.Fatal(err)
		}
		if _, err := readFrame(conn); err != nil {
			t.Fatal(err)
		}
	}
	calls, err := proxy.Take()
	if err != nil {
		t.Fatal(err)
	}
	want := []Command{{Name: "a command", Calls: []Call{{Conn: 1, Method: "begin", Request: begin, Answer: first}, {Conn: 1, Method: "next", Request: next, Answer: second}}}}
	var file bytes.Buffer
	if err := Write(&file, "a comment\nof two lines", []Command{{"a command", calls}}); err != nil {
		t.Fatal(err)
	}
	commands, err := Read(&file)
	if d := cmp.Diff(want, commands); err != nil || d != "" {
		t.Fatalf("%v, (-want +got)\n%s", err, d)
	}

	other, sent := answers(t, build("begin", kindReply, 1, str(0, newID)), second)
	player := NewPlayer(other)
	for _, call := range commands[0].Calls {
		if _, differences, err := player.Play(call); err != nil || len(differences) > 0 {
			t.Errorf("%s: %v %v", call.Method, differences, err)
		}
	}
	player.Next()
	if g, w := sent(), [][]byte{begin, build("next", 1, 2, str(1, newID), str(2, "/files/"+newID+".jar"), num(3, 7))}; !slices.EqualFunc(g, w, bytes.Equal) {
		t.Errorf("sent %q, want %q", g, w)
	}
}

func TestDifferences(t *testing.T) {
	reply := func(fields ...field) []byte { return build("m", kindReply, 1, fields...) }
	for name, c := range map[string]struct {
		recorded, answer []byte
		want             string
	}{
		"equal":                  {reply(str(0, "x")), reply(str(0, "x")), ""},
		"other figures":          {reply(num(0, 1)), reply(num(0, 2)), ""},
		"another text":           {reply(str(0, "x")), reply(str(0, "y")), ""},
		"no text":                {reply(str(0, "x")), reply(str(0, "")), "0 is empty"},
		"another type":           {reply(str(0, "x")), reply(num(0, 2)), "0 is of type 8"},
		"more fields":            {reply(obj(0, num(1, 1))), reply(obj(0, num(1, 1), num(2, 1))), ""},
		"fewer fields":           {reply(obj(0, num(1, 1), num(2, 1))), reply(obj(0, num(1, 1))), "0 lacks field 2"},
		"an exception":           {reply(num(0, 1)), reply(obj(1, str(1, "no"))), "result has field 1 instead"},
		"an exception's text":    {reply(obj(1, str(1, "no "+oldID))), reply(obj(1, str(1, "no "+newID))), ""},
		"another text of it":     {reply(obj(1, str(1, "no"))), reply(obj(1, str(1, "never"))), `1.1 is "never"`},
		"an empty list":          {reply(list(0, num(1, 1))), reply(list(0)), "0[0] is not there"},
		"elements in any order":  {reply(list(0, obj(1, num(1, 1)), obj(1, num(2, 2)))), reply(list(0, obj(1, num(2, 1)), obj(1, num(1, 1)))), ""},
		"an element that is new": {reply(list(0, obj(1, num(1, 1)))), reply(list(0, obj(1, num(2, 1)))), "0[0] lacks field 1"},
		"another call":           {reply(), build("n", kindReply, 1), `it answers "n"`},
		"another sequence id":    {reply(), build("m", kindReply, 2), "it answers"},
		"rubbish":                {reply(), []byte("rubbish"), "the answer cannot be read"},
	} {
		got := strings.Join(Differences(c.recorded, c.answer, map[string]string{oldID: newID}), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{"call 1 m AAAA AAAA", "command x\ncall 1 m", "command x\ncall one m AwA= AwA=", "command x\ncall 1 m ?? AwA=", "something else"} {
		if commands, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read as %v", text, commands)
		}
	}
}

// A message of any length is read or refused, and what is read is written alike.
func FuzzDecode(f *testing.F) {
	f.Add(build("m", kindReply, 1, obj(0, str(1, "x"), list(2, num(1, 1)))))
	f.Add([]byte("\x00\x00\x00\x01m\x01\x00\x00\x00\x07\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decode(b); err == nil {
			if again, err := decode(m.encode()); err != nil || again.method != m.method {
				t.Errorf("%q is not read again: %v", b, err)
			}
		}
	})
}
