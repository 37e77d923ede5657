package transcript

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A Command is one run of a client, with the calls it made in their order.
type Command struct {
	Name  string
	Calls []Call
}

// A Call is a message to a server and the one that it answered with, both without the length of their frames.
type Call struct {
	Conn   int // which connection of the command, from 1
	Method string
	Request,
	Answer []byte

	// At is when it came to the proxy, Took how long the server took for the answer. Files do not have them.
	At   time.Time
	Took time.Duration
}

// Write writes a file: a comment, then for each command a line with its name and one a call, in which messages are deflated
// and in base64.
func Write(w io.Writer, comment string, commands []Command) error {
	out := bufio.NewWriter(w)
	for _, l := range strings.Split(comment, "\n") {
		fmt.Fprintf(out, "# %s\n", l)
	}
	for _, c := range commands {
		fmt.Fprintf(out, "command %s\n", c.Name)
		for _, call := range c.Calls {
			fmt.Fprintf(out, "call %d %s %s %s\n", call.Conn, call.Method, pack(call.Request), pack(call.Answer))
		}
	}
	return out.Flush()
}

// Read reads what Write wrote.
func Read(r io.Reader) ([]Command, error) {
	var out []Command
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "#":
		case "command":
			out = append(out, Command{Name: rest})
		case "call":
			call, err := parseCall(rest)
			if err == nil && len(out) == 0 {
				err = errors.New("a call before the first command")
			}
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			last := &out[len(out)-1]
			last.Calls = append(last.Calls, call)
		default:
			return nil, fmt.Errorf("line %d begins with %q", n, kind)
		}
	}
	return out, lines.Err()
}

func parseCall(text string) (Call, error) {
	f := strings.Split(text, " ")
	if len(f) != 4 {
		return Call{}, fmt.Errorf("a call of %d words", len(f))
	}
	conn, err1 := strconv.Atoi(f[0])
	request, err2 := unpack(f[2])
	answer, err3 := unpack(f[3])
	return Call{Conn: conn, Method: f[1], Request: request, Answer: answer}, errors.Join(err1, err2, err3)
}

func pack(b []byte) string {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err != nil {
		panic(err) // of a level that does not exist
	}
	w.Write(b)
	w.Close()
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

func unpack(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxMessage))
}
