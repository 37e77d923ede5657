package redis

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// maxArgs bounds the arguments of one command.
const maxArgs = 1000

// Commands gathers what a tuple does. It belongs to the call it was handed to.
type Commands struct {
	buf  []byte
	ends []int // of the commands in buf
	err  error
}

// Set sets key to value.
func (c *Commands) Set(key, value string) { c.Do("SET", key, value) }

// HSet sets a field of the hash at key.
func (c *Commands) HSet(key, field, value string) { c.Do("HSET", key, field, value) }

// IncrBy adds n to the number at key.
func (c *Commands) IncrBy(key string, n int64) { c.Do("INCRBY", key, strconv.FormatInt(n, 10)) }

// HIncrBy adds n to a field of the hash at key.
func (c *Commands) HIncrBy(key, field string, n int64) {
	c.Do("HINCRBY", key, field, strconv.FormatInt(n, 10))
}

// SAdd adds a member to the set at key.
func (c *Commands) SAdd(key, member string) { c.Do("SADD", key, member) }

// RPush appends a value to the list at key.
func (c *Commands) RPush(key, value string) { c.Do("RPUSH", key, value) }

// Do adds any command that scripts may call and whose first argument is its only key.
func (c *Commands) Do(name, key string, args ...string) {
	if len(args) > maxArgs {
		c.err = fmt.Errorf("a command %s of %d arguments: at most %d are taken", name, len(args), maxArgs)
		return
	}
	c.buf = binary.AppendUvarint(c.buf, uint64(len(args)+2))
	c.word(name)
	c.word(key)
	for _, a := range args {
		c.word(a)
	}
	c.ends = append(c.ends, len(c.buf))
}

func (c *Commands) word(s string) {
	c.buf = append(binary.AppendUvarint(c.buf, uint64(len(s))), s...)
}

func (c *Commands) reset() { c.buf, c.ends, c.err = c.buf[:0], c.ends[:0], nil }

// parseCommand returns the words of a command.
func parseCommand(b []byte) ([]string, error) {
	bad := fmt.Errorf("%w: a command of %d bytes", outbox.ErrDamaged, len(b))
	n, size := binary.Uvarint(b)
	if size <= 0 || n < 2 || n > maxArgs+2 {
		return nil, bad
	}
	b = b[size:]
	words := make([]string, n)
	for i := range words {
		length, size := binary.Uvarint(b)
		if size <= 0 || length > uint64(len(b)-size) {
			return nil, bad
		}
		words[i] = string(b[size : size+int(length)])
		b = b[size+int(length):]
	}
	if len(b) > 0 {
		return nil, bad
	}
	return words, nil
}
