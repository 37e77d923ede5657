package zk

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// withdrawLimit is how long removing the own candidate node may take. Beyond that the session is given up, and the node goes
// with it: a node without anybody behind it would keep all others from leading.
const withdrawLimit = 2 * time.Second

// candidate is what stands in a candidate node, for people.
type candidate struct {
	Candidate string `json:"candidate"`
	Instance  string `json:"instance"`
}

// Campaign implements cluster.Store. It waits for ZooKeeper for as long as ctx allows and tells the log; errors of another
// kind than ctx's and ErrClosed are refusals that waiting does not cure.
func (s *Store) Campaign(ctx context.Context, name string) (cluster.Term, error) {
	if err := s.usable(ctx); err != nil {
		return cluster.Term{}, err
	}
	ctx, done := s.untilClosed(ctx, func() {})
	defer done()
	if err := lock(ctx, s.campaigning); err != nil {
		return cluster.Term{}, err
	}
	defer unlock(s.campaigning)
	for {
		sess, err := s.session(ctx)
		if err == nil {
			var term cluster.Term
			if term, err = s.campaign(ctx, sess, name); err == nil {
				return term, nil
			}
			s.log.Debug("campaign begins anew", "err", err)
			err = sess.settle(ctx, err)
		}
		if ctx.Err() != nil {
			return cluster.Term{}, context.Cause(ctx)
		}
		if err != nil && !errors.Is(err, errGone) {
			return cluster.Term{}, s.explain(err)
		}
	}
}

// campaign waits in one session until this store leads.
func (s *Store) campaign(ctx context.Context, sess *session, name string) (cluster.Term, error) {
	if err := s.persist(ctx, sess, func() error { return s.layout(ctx, sess) }); err != nil {
		return cluster.Term{}, err
	}
	s.warnIfOpen(ctx, sess)
	var node string
	enlist := func() (err error) {
		node, err = s.enlist(ctx, sess, name)
		return err
	}
	err := s.persist(ctx, sess, enlist)
	if err == nil {
		err = s.waitTurn(ctx, sess, node)
	}
	if err == nil {
		var term cluster.Term
		if term, err = s.takeOver(ctx, sess, node, name); err == nil {
			return term, nil
		}
	}
	if t := s.leading(); t == nil || t.node != node {
		s.withdraw(sess, node)
	}
	return cluster.Term{}, err
}

// persist repeats f over cuts of the connection, for as long as the session lives.
func (s *Store) persist(ctx context.Context, sess *session, f func() error) error {
	for {
		err := sess.up(ctx)
		if err == nil {
			err = f()
		}
		if err == nil || answered(err) || errors.Is(err, errGone) || errors.Is(err, errForeign) ||
			errors.Is(err, errNoCandidate) || errors.Is(err, cluster.ErrFenced) {
			return err
		}
		if err := sess.settle(ctx, err); err != nil {
			return err
		}
	}
}

// layout makes what every cluster has. Only a candidate does: readers change nothing.
func (s *Store) layout(ctx context.Context, sess *session) error {
	first, err := json.Marshal(head{Format: formatNumber})
	if err != nil {
		return err
	}
	for _, node := range s.paths.layout() {
		if err := s.create(ctx, sess, node, nil); err != nil {
			return err
		}
	}
	return s.create(ctx, sess, s.paths.head(), first)
}

// warnIfOpen warns of nodes that were made before there were credentials: anybody may read and write them.
func (s *Store) warnIfOpen(ctx context.Context, sess *session) {
	if s.cfg.Digest == "" {
		return
	}
	acl, err := call(ctx, sess, func() ([]zoo.ACL, error) {
		acl, _, err := sess.conn.GetACL(s.paths.root)
		return acl, err
	})
	if err == nil && slices.ContainsFunc(acl, func(a zoo.ACL) bool { return a.Scheme == "world" }) {
		s.log.Warn("nodes in ZooKeeper are open to everybody: they were made before storm.zookeeper.auth.scheme was set; "+
			"set their ACL with zkCli's setAcl -R", "node", s.paths.root)
	}
}

// create makes a node if it is not there.
func (s *Store) create(ctx context.Context, sess *session, node string, data []byte) error {
	if stat, err := exists(ctx, sess, node); err != nil || stat != nil {
		return err // creating may be refused where looking is not
	}
	_, err := call(ctx, sess, func() (string, error) { return sess.conn.Create(node, data, zoo.FlagPersistent, s.acl) })
	if errors.Is(err, zoo.ErrNodeExists) {
		err = nil
	}
	return err
}

// enlist returns this store's candidate node of this session, made if it is not there. A node that it, or an earlier store of
// the same instance, left in another session is removed, rather than waited for.
func (s *Store) enlist(ctx context.Context, sess *session, name string) (string, error) {
	line, err := s.line(ctx, sess)
	if err != nil {
		return "", err
	}
	id, _ := sess.known()
	for _, node := range line {
		if !strings.HasPrefix(node, s.paths.candidates()+"/"+s.cfg.Instance+"-") {
			continue
		}
		stat, err := exists(ctx, sess, node)
		if err != nil {
			return "", err
		}
		if stat != nil && stat.EphemeralOwner == id {
			return node, nil
		}
		if err := s.remove(ctx, sess, node); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(candidate{name, s.cfg.Instance})
	if err != nil {
		return "", err
	}
	return call(ctx, sess, func() (string, error) {
		return sess.conn.Create(s.paths.candidates()+"/"+s.cfg.Instance+"-", data, zoo.FlagEphemeralSequential, s.acl)
	})
}

// line returns the candidate nodes in the order in which they lead.
func (s *Store) line(ctx context.Context, sess *session) ([]string, error) {
	names, err := call(ctx, sess, func() ([]string, error) {
		names, _, err := sess.conn.Children(s.paths.candidates())
		return names, err
	})
	if err != nil {
		return nil, err
	}
	place := func(name string) int {
		n, _ := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
		return n
	}
	slices.SortFunc(names, func(a, b string) int { return place(a) - place(b) })
	for i, name := range names {
		names[i] = s.paths.candidates() + "/" + name
	}
	return names, nil
}

func (s *Store) remove(ctx context.Context, sess *session, node string) error {
	_, err := call(ctx, sess, func() (struct{}, error) { return struct{}{}, sess.conn.Delete(node, -1) })
	if errors.Is(err, zoo.ErrNoNode) {
		err = nil
	}
	return err
}

// waitTurn waits until nobody stands before node. It watches only the one before it, so an end wakes one candidate.
func (s *Store) waitTurn(ctx context.Context, sess *session, node string) error {
	said := ""
	for {
		var before string
		var fired <-chan struct{}
		err := s.persist(ctx, sess, func() error {
			line, err := s.line(ctx, sess)
			if err != nil {
				return err
			}
			i := slices.Index(line, node)
			if i < 0 {
				return errNoCandidate
			}
			if before = ""; i == 0 {
				return nil
			}
			before = line[i-1]
			fired, err = s.watchNode(ctx, sess, before)
			return err
		})
		if err != nil || before == "" {
			return err
		}
		if fired == nil {
			continue // it went while we looked
		}
		if before != said {
			said = before
			s.log.Info("waiting for the leadership", "behind", before)
		}
		if err := s.awaitEnd(ctx, sess, before, fired); err != nil {
			return err
		}
	}
}

// awaitEnd waits until node changes or goes, which fired tells. An event may get lost with a connection, so it also looks
// when the connection is back, and once in a session's timeout.
func (s *Store) awaitEnd(ctx context.Context, sess *session, node string, fired <-chan struct{}) error {
	_, timeout := sess.known()
	again := time.NewTicker(timeout)
	defer again.Stop()
	for {
		_, changed, _ := sess.isUp()
		select {
		case <-fired:
			return nil
		case <-sess.gone:
			return errGone
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-again.C:
		}
		var there *zoo.Stat
		err := s.persist(ctx, sess, func() (err error) {
			there, err = exists(ctx, sess, node)
			return err
		})
		if err != nil || there == nil {
			return err
		}
	}
}

// withdraw gives a candidate node up. If ZooKeeper does not confirm that it is gone the session is given up.
func (s *Store) withdraw(sess *session, node string) {
	ctx, cancel := context.WithTimeout(s.life, withdrawLimit)
	defer cancel()
	err := sess.up(ctx)
	if err == nil && node == "" {
		err = errNoCandidate // it may have been made all the same
	}
	if err == nil {
		err = s.remove(ctx, sess, node)
	}
	if err != nil {
		sess.end()
	}
}
