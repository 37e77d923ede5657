package zk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	zoo "github.com/go-zookeeper/zk"
)

// retryPause is between two tries that follow each other while nothing says that the connection changed.
const retryPause = 100 * time.Millisecond

var (
	// errGone says that a session is over.
	errGone = errors.New("the session is over")
	// errMoved says that head was replaced while something was read.
	errMoved = errors.New("the state changed meanwhile")
	// errWaited ends waiting for ZooKeeper; it is the cause of contexts that do.
	errWaited = errors.New("waited for ZooKeeper in vain")
)

// answers are the errors by which a server tells that it did not do what was asked. After any other error a request
// may have been carried out.
var answers = []error{zoo.ErrNoNode, zoo.ErrNodeExists, zoo.ErrBadVersion, zoo.ErrNotEmpty, zoo.ErrNoAuth, zoo.ErrInvalidACL,
	zoo.ErrNoChildrenForEphemerals, zoo.ErrAuthFailed, zoo.ErrBadArguments, zoo.ErrInvalidPath}

func answered(err error) bool {
	for _, a := range answers {
		if errors.Is(err, a) {
			return true
		}
	}
	return false
}

// refused tells whether the server will go on refusing.
func refused(err error) bool {
	return errors.Is(err, zoo.ErrNoAuth) || errors.Is(err, zoo.ErrInvalidACL) || errors.Is(err, zoo.ErrAuthFailed) ||
		errors.Is(err, zoo.ErrInvalidPath) || errors.Is(err, errForeign)
}

// explain names the node and says what to do about a refusal.
func (s *Store) explain(err error) error {
	switch {
	case errors.Is(err, zoo.ErrNoAuth):
		return fmt.Errorf("ZooKeeper refuses access to %s: it belongs to other credentials than storm.zookeeper.auth.scheme and "+
			".payload give, or to none (%w)", s.paths.root, err)
	case errors.Is(err, zoo.ErrInvalidACL), errors.Is(err, zoo.ErrAuthFailed):
		return fmt.Errorf("ZooKeeper does not take the credentials of storm.zookeeper.auth.payload: %w", err)
	case errors.Is(err, zoo.ErrNoNode):
		return fmt.Errorf("the cluster state is gone from ZooKeeper: below %s: %w", s.paths.root, err)
	case errors.Is(err, errWaited):
		return s.inVain(s.trouble())
	}
	return err
}

// inVain says that ZooKeeper was waited for too long, and why if that is known.
func (s *Store) inVain(why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("ZooKeeper at %s cannot be reached for %v%s", strings.Join(s.cfg.Servers, ","), s.cfg.ConnectTimeout, why)
}

// odd tells whether err is something else than a broken connection or a session that is over.
func odd(err error) bool {
	for _, usual := range []error{errGone, errMoved, errWaited, zoo.ErrConnectionClosed, zoo.ErrNoServer,
		zoo.ErrSessionExpired, zoo.ErrClosing} {
		if errors.Is(err, usual) {
			return false
		}
	}
	return true
}

// insist has f try, in the session of the moment, until it says that it is over, or ctx (of patience) ends, or ZooKeeper refuses.
func (s *Store) insist(ctx context.Context, f func(*session) (over bool, err error)) error {
	var last error
	for {
		sess, err := s.session(ctx)
		if err == nil {
			var over bool
			if over, err = f(sess); over {
				return err
			}
			last = err
			err = sess.settle(ctx, err)
		}
		switch {
		case errors.Is(context.Cause(ctx), errWaited) && last != nil && odd(last):
			return s.inVain(last.Error())
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !errors.Is(err, errGone):
			return err
		}
	}
}

// patience is the context of one call of Get, List or Txn: it ends with the caller's, with the store, and when
// ConnectTimeout has passed.
func (s *Store) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.ConnectTimeout, errWaited)
	return s.untilClosed(ctx, cancel)
}

// untilClosed makes cancel run when the store is closed, and both calls end the returned context.
func (s *Store) untilClosed(ctx context.Context, cancel context.CancelFunc) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(s.life, func() { stop(context.Cause(s.life)) })
	return ctx, func() {
		unhook()
		stop(nil)
		cancel()
	}
}
