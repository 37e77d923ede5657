package transport

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// keeper holds, after Done, what its kind allows.
type keeper struct {
	keeps   Keeps
	mu      sync.Mutex
	batches []*gearcore.Batch
	texts   []string
}

func (k *keeper) deliver(b *gearcore.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range b.Rows {
		s := b.Tuple(i).String(0)
		if k.keeps == KeepsNothing {
			s = strings.Clone(s)
		}
		k.texts = append(k.texts, s)
	}
	if k.keeps == KeepsAll {
		k.batches = append(k.batches, b)
	}
	b.Done(b)
	return nil
}

func (k *keeper) count() int { k.mu.Lock(); defer k.mu.Unlock(); return len(k.texts) }

// TestWhatMayBeKeptStays holds everything that may be held while thousands of other frames arrive, large ones and small.
func TestWhatMayBeKeptStays(t *testing.T) {
	for _, keeps := range []Keeps{KeepsAll, KeepsTexts, KeepsNothing} {
		t.Run(fmt.Sprint(keeps), func(t *testing.T) {
			overEach(t, func(t *testing.T, change func(*Config)) {
				k := &keeper{keeps: keeps}
				a, b := start(t, "a", change), start(t, "b", func(c *Config) {
					if change != nil {
						change(c)
					}
					c.Deliver, c.Keeps = k.deliver, func(gearcore.TaskID) Keeps { return keeps }
				})
				a.to(b.Addr().String(), 4)
				o, l := a.Outlet(4), testLayout()
				var want []string
				for i := range 3000 {
					rows := 1 + i%7
					if i%50 == 0 {
						rows = 300
					}
					var texts []string
					for j := range rows {
						texts = append(texts, fmt.Sprint(strings.Repeat("ab", (i+j)%100), i, j))
					}
					want = append(want, texts...)
					if !o.Push(batch(l, 4, texts...)) {
						room := make(chan struct{})
						o.Notify(func() { close(room) })
						<-room
					}
				}
				await(t, "all arrive", func() bool { return k.count() == len(want) })
				if !slices.Equal(k.texts, want) {
					t.Error("texts changed after they were received")
				}
				var held []string
				for _, b := range k.batches {
					for i := range b.Rows {
						held = append(held, b.Tuple(i).String(0))
					}
				}
				if keeps == KeepsAll && !slices.Equal(held, want) {
					t.Error("batches changed after they were done with")
				}
			})
		})
	}
}

// TestReceivingAllocatesNothing gives a session frames of 200 rows: with nothing kept all memory is used again, with
// texts kept one copy of the frame is made.
func TestReceivingAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		keeps Keeps
		want  float64
	}{{KeepsNothing, 0}, {KeepsTexts, 1}} {
		tr := &Transport{cfg: (&Config{
			Layout: testLayout(), Keeps: func(gearcore.TaskID) Keeps { return c.keeps },
			Deliver: func(b *gearcore.Batch) error { b.Done(b); return nil },
		}).withDefaults(), sessions: map[sessionKey]*session{}}
		tr.graph.Store(newGraph(Graph{Layout: testLayout()}, 0))
		s, _ := tr.session(&identity{worker: "w", session: 1})
		in := &gearcore.Batch{Layout: testLayout(), Target: 4, From: 1}
		for range 200 {
			in.Append(0, 1, []gearcore.Value{gearcore.Str(strings.Repeat("x", 100)), gearcore.Long(7)}, nil)
		}
		buf, _, _, _ := appendData(nil, 1, in, 0, 1<<20, nil)
		got := testing.AllocsPerRun(100, func() {
			if err := s.frame(buf[frameHeader:]); err != nil {
				t.Fatal(err)
			}
		})
		if got > c.want {
			t.Errorf("%v allocations a frame when the consumer keeps %d, want %v", got, c.keeps, c.want)
		}
	}
}

// FuzzFrames gives a session bytes as they come from a peer that holds the secret: whatever they are, the session takes
// frames in order, or ends with ErrFrame.
func FuzzFrames(f *testing.F) {
	l := testLayout()
	var stream []byte
	for i := range 3 {
		stream, _, _, _ = appendData(stream, uint64(i+1), batch(l, 4, "a", "bc"), 0, 1<<20, nil)
	}
	f.Add(stream)
	f.Add(appendSkip(appendPing(nil), 1, stream[frameHeader:]))
	f.Add(appendConfirm(stream[:len(stream)-5:len(stream)-5], 3))
	f.Fuzz(func(t *testing.T, in []byte) {
		delivered := uint64(0)
		tr := &Transport{cfg: (&Config{
			Layout: l, Keeps: func(gearcore.TaskID) Keeps { return KeepsNothing }, Tracker: &tracker{},
			Deliver: func(b *gearcore.Batch) error {
				if b.Seq <= delivered {
					t.Fatalf("number %d after %d", b.Seq, delivered)
				}
				delivered = b.Seq
				b.Done(b)
				return nil
			},
		}).withDefaults(), sessions: map[sessionKey]*session{}}
		tr.graph.Store(newGraph(Graph{Layout: testLayout()}, 0))
		s, _ := tr.session(&identity{worker: "w", session: 1})
		rest, err := s.frames(in, false)
		if err != nil && !errors.Is(err, ErrFrame) {
			t.Fatalf("ends with %v", err)
		}
		if received, _ := s.progress(); err == nil && len(rest) > len(in) || received < delivered {
			t.Fatalf("%d bytes left of %d, %d received, %d delivered", len(rest), len(in), received, delivered)
		}
	})
}
