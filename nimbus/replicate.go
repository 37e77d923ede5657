package nimbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// wanted is a blob that should be here, and the masters to ask for it, in this order.
type wanted struct {
	blobstore.Info
	from []string
}

// mirror is what one goroutine, replicate, brings about: that all wanted blobs are here. A follower's wants are its leader's
// plan, and what is not in it goes; a leader's are those of its records that it lacks.
type mirror struct {
	mu      sync.Mutex
	want    map[string]wanted
	whole   bool                 // want is all there should be
	round   int64                // grows with every set
	since   map[string]time.Time // when a blob that is here was first not wanted
	lacking map[string]error     // why a wanted blob could not be had

	poke    chan struct{} // room for one: look again
	changed chan struct{} // room for one: what is held here changed
}

func newMirror() *mirror {
	return &mirror{since: make(map[string]time.Time), lacking: make(map[string]error),
		poke: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
}

func (m *mirror) set(want map[string]wanted, whole bool) {
	m.mu.Lock()
	m.want, m.whole = want, whole
	m.round++
	m.mu.Unlock()
	signal(m.poke)
}

// signal leaves a message in a channel with room for one.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// next returns what is wanted, the small ones first: a topology's code and configuration are what a leader needs most.
func (m *mirror) next() (want []wanted, round int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	want = slices.SortedFunc(maps.Values(m.want), func(a, b wanted) int {
		if a.Size != b.Size {
			return int(min(max(a.Size-b.Size, -1), 1))
		}
		return strings.Compare(a.Key, b.Key)
	})
	return want, m.round
}

func (m *mirror) current(round int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.round == round
}

// wants tells whether these contents are still wanted, by the plan of a round or the present one.
func (m *mirror) wants(info blobstore.Info, round int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.want[info.Key]
	return m.round == round || ok && w.SHA256 == info.SHA256
}

// why says why a blob could not be had; nil when it is not missing.
func (m *mirror) why(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lacking[key]
}

// note keeps how the last try to get a blob went and returns whether that is news.
func (m *mirror) note(key string, err error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, had := m.lacking[key]
	if err == nil {
		delete(m.lacking, key)
		return had
	}
	m.lacking[key] = err
	return !had || old.Error() != err.Error()
}

// Waits between two tries to get what is missing: the first after leastRetry, then twice as long each time.
const (
	leastRetry = 500 * time.Millisecond
	mostRetry  = 30 * time.Second
)

// replicate first reads all blobs, so that damaged ones are found before somebody needs them, and then keeps what is wanted
// here until ctx ends.
func (n *Nimbus) replicate(ctx context.Context) {
	n.verifyAll(ctx)
	wait := leastRetry
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.mirror.poke:
			wait = leastRetry
		case <-retry.C:
		}
		again, missing := n.mirrorOnce(ctx)
		switch {
		case again:
			signal(n.mirror.poke)
		case missing:
			retry.Reset(wait)
			wait = min(2*wait, mostRetry)
		default:
			retry.Reset(mostRetry) // what is not wanted goes when its time has come
		}
	}
}

// verifyAll reads every blob once. Damaged ones are set aside.
func (n *Nimbus) verifyAll(ctx context.Context) {
	for key := range n.blobs.All() {
		if ctx.Err() != nil {
			return
		}
		if err := n.blobs.Verify(key); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			n.lostBlob(key)
		}
	}
}

// mirrorOnce gets what is missing. again says that the wants changed meanwhile, missing that something could not be had.
func (n *Nimbus) mirrorOnce(ctx context.Context) (again, missing bool) {
	want, round := n.mirror.next()
	for _, w := range want {
		if ctx.Err() != nil || !n.mirror.current(round) {
			return ctx.Err() == nil, false
		}
		here, err := n.blobs.Info(w.Key)
		if err == nil && here.SHA256 == w.SHA256 && here.Version == w.Version {
			n.mirror.note(w.Key, nil)
			if !slices.Equal(here.ACL, w.ACL) || here.Replication != w.Replication {
				err = n.blobs.SetMeta(w.Key, w.ACL, w.Replication)
			}
		} else {
			err = n.fetch(ctx, w, round)
		}
		if ctx.Err() != nil {
			return false, false
		}
		missing = missing || err != nil
		if news := n.mirror.note(w.Key, err); err != nil && news {
			n.cfg.Log.Warn("blob is missing", "blob", w.Key, "err", err)
		}
	}
	if n.dropUnwanted(round) {
		signal(n.mirror.changed)
	}
	return false, missing
}

// fetch gets a blob from the first of its holders that has it whole.
func (n *Nimbus) fetch(ctx context.Context, w wanted, round int64) error {
	errs := []error{}
	for _, addr := range w.from {
		if addr == n.self() {
			continue
		}
		err := n.fetchFrom(ctx, addr, w, round)
		if err == nil {
			n.figures.replicas.Add(1)
			n.cfg.Log.Info("blob fetched", "blob", w.Key, "from", addr, "bytes", w.Size)
			n.gotBlob(ctx, w.Key)
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", addr, err))
	}
	if len(errs) == 0 {
		return errors.New("no nimbus that can be reached is known to hold it")
	}
	return errors.Join(errs...)
}

func (n *Nimbus) fetchFrom(ctx context.Context, addr string, w wanted, round int64) error {
	conn, err := n.dialPeer(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	from := &remoteBlob{ctx: ctx, conn: stormrpc.NewGearstormClient(conn), w: w, most: fetchPiece}
	// What arrives after the plan changed may be of a topology that is gone: the next look decides again.
	return n.blobs.PutReplica(w.Info, from, func() bool { return n.mirror.wants(w.Info, round) })
}

const (
	// fetchPiece is how much of a blob one call asks for.
	fetchPiece = 512 << 10
	// fetchPatience bounds such a call; before the first piece the other side reads the whole blob.
	fetchPatience = time.Minute
)

// remoteBlob reads a blob of another master.
type remoteBlob struct {
	ctx    context.Context
	conn   *stormrpc.GearstormClient
	w      wanted
	most   int32
	offset int64
	rest   []byte
}

// Read implements io.Reader.
func (r *remoteBlob) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.offset > r.w.Size {
			return 0, fmt.Errorf("more than %d bytes: %w", r.w.Size, blobstore.ErrTooLarge)
		}
		ctx, cancel := context.WithTimeout(r.ctx, fetchPatience)
		defer cancel()
		piece, err := r.conn.FetchBlob(ctx, r.w.Key, r.w.SHA256, r.offset, r.most)
		if err != nil {
			return 0, fmt.Errorf("byte %d: %w", r.offset, err)
		}
		if len(piece) == 0 {
			return 0, io.EOF
		}
		r.rest = piece
		r.offset += int64(len(piece))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// dropUnwanted removes blobs that have not been wanted for the time of grace, and tells whether there were any. Only a
// follower has a list that is whole.
func (n *Nimbus) dropUnwanted(round int64) (dropped bool) {
	now := n.cfg.Now()
	var gone []string
	m := n.mirror
	m.mu.Lock()
	if m.round != round || !m.whole {
		clear(m.since)
		m.mu.Unlock()
		return false
	}
	here := make(map[string]bool)
	for key := range n.blobs.All() {
		if _, ok := m.want[key]; ok {
			continue
		}
		here[key] = true
		if _, ok := m.since[key]; !ok {
			m.since[key] = now
		}
		if now.Sub(m.since[key]) >= n.set.replicaGrace {
			gone = append(gone, key)
		}
	}
	maps.DeleteFunc(m.since, func(key string, _ time.Time) bool { return !here[key] })
	maps.DeleteFunc(m.lacking, func(key string, _ error) bool { _, ok := m.want[key]; return !ok })
	m.mu.Unlock()
	for _, key := range gone {
		if err := n.blobs.Delete(key); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			n.cfg.Log.Warn("blob that nobody wants stays", "blob", key, "err", err)
			continue
		}
		dropped = true
	}
	return dropped
}

// gotBlob notes that the contents of a blob came to this disk. A leader may then read a topology that it could not before.
func (n *Nimbus) gotBlob(ctx context.Context, key string) {
	signal(n.mirror.changed)
	if !n.noteHere(key) {
		return
	}
	if id, ok := topologyOf(key); ok && !strings.HasSuffix(key, client.JarKey("")) {
		n.mend(ctx, id)
	}
}
