package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// errMoved says that a batch is further than this task knows: an answer was lost.
var errMoved = errors.New("other commands of the batch are due")

// publisher is the outbox.Target.
type publisher struct {
	client  redis.UniversalClient
	chunk   int
	owner   string
	refused func(error) // hears of commands that Redis refused
}

func newPublisher(o *SinkOptions, refused func(error)) *publisher {
	return &publisher{client: redis.NewUniversalClient(&o.Redis), chunk: o.ChunkCommands, owner: rand.Text(), refused: refused}
}

// Claim implements outbox.Target.
func (p *publisher) Claim(ctx context.Context, id string, first bool) (uint64, bool, error) {
	flag := "0"
	if first {
		flag = "1"
	}
	text, err := claim.Run(ctx, p.client, []string{id}, p.owner, flag).Text()
	if err != nil || text == "" {
		return 0, false, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil, err
}

// state is what an identity's hash says.
type state struct{ number, partial, applied uint64 }

func (p *publisher) look(ctx context.Context, id string) (s state, err error) {
	words, err := look.Run(ctx, p.client, []string{id}, p.owner).StringSlice()
	if err != nil {
		return s, err
	}
	if len(words) != 3 {
		return s, outbox.ErrFenced
	}
	for i, to := range []*uint64{&s.number, &s.partial, &s.applied} {
		if *to, err = strconv.ParseUint(words[i], 10, 64); err != nil {
			return s, fmt.Errorf("hash %s: %w", id, err)
		}
	}
	return s, nil
}

// Settle implements outbox.Target. A script has ended by the time its successor is executed.
func (p *publisher) Settle(ctx context.Context, id string) (uint64, error) {
	s, err := p.look(ctx, id)
	return s.number, err
}

// Publish implements outbox.Target.
func (p *publisher) Publish(ctx context.Context, id string, b outbox.Batch) error {
	s, err := p.look(ctx, id)
	if err != nil || s.number >= b.Number {
		return err
	}
	c := chunk{id: id, batch: b}
	if s.partial == b.Number {
		c.from = s.applied
	}
	at := uint64(0)
	err = b.Read(func(rec []byte) error {
		if at++; at <= c.from {
			return nil
		}
		words, err := parseCommand(rec)
		if err != nil {
			return err
		}
		c.add(words)
		if c.count == p.chunk || at == uint64(b.Count) {
			return p.apply(ctx, &c)
		}
		return nil
	})
	return err
}

// Release implements outbox.Target.
func (p *publisher) Release(string) {}

// chunk is commands for one script.
type chunk struct {
	id    string
	batch outbox.Batch
	from  uint64 // commands of the batch before it
	count int
	keys  []string
	words []any
}

func (c *chunk) add(words []string) {
	c.count++
	c.keys = append(c.keys, words[1])
	c.words = append(c.words, len(words))
	for _, w := range words {
		c.words = append(c.words, w)
	}
}

// apply has the commands of c executed and empties it.
func (p *publisher) apply(ctx context.Context, c *chunk) error {
	end, whole := c.from+uint64(c.count), "0"
	if end == uint64(c.batch.Count) {
		whole = "1"
	}
	args := append([]any{p.owner, c.batch.Number, c.from, end, whole, c.batch.Epoch}, c.words...)
	answer, err := apply.Run(ctx, p.client, append([]string{c.id}, c.keys...), args...).StringSlice()
	switch {
	case err != nil:
		return err
	case len(answer) == 3 && answer[0] == "ok":
		if answer[1] != "0" {
			p.refused(fmt.Errorf("redis refused %s commands of epoch %d, the first is %s", answer[1], c.batch.Epoch, answer[2]))
		}
	case len(answer) > 0 && answer[0] == "fenced":
		return outbox.ErrFenced
	default:
		return errMoved
	}
	c.from, c.count, c.keys, c.words = end, 0, c.keys[:0], c.words[:0]
	return nil
}
