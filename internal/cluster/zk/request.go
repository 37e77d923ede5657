package zk

import (
	"bytes"
	"context"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// maxRequestBytes is how large a transaction may be, with names and all that the protocol adds: servers close the connection
// on requests of jute.maxbuffer, 1 MiB by default, and more.
const maxRequestBytes = 1<<20 - 4<<10

// request makes the parts of a transaction. Whatever could be asked of ZooKeeper is, though what was read under head decides.
// Values are copied, since the library may still send them when Txn has returned.
func (s *Store) request(ctx context.Context, sess *session, put any, ops []cluster.Op, stats []*zoo.Stat) ([]any, error) {
	parts := []any{put}
	made := make(map[string]bool)
	for i, o := range ops {
		node, folder := s.paths.key(o.Key)
		stat := stats[i]
		switch {
		case o.Kind == cluster.OpPut && stat != nil:
			parts = append(parts, &zoo.SetDataRequest{Path: node, Data: bytes.Clone(o.Value), Version: stat.Version})
		case o.Kind == cluster.OpPut:
			if folder != "" && !made[folder] {
				made[folder] = true
				there, err := s.hasFolder(ctx, sess, folder)
				if err != nil {
					return nil, err
				}
				if !there {
					parts = append(parts, &zoo.CreateRequest{Path: folder, Acl: s.acl})
				}
			}
			parts = append(parts, &zoo.CreateRequest{Path: node, Data: bytes.Clone(o.Value), Acl: s.acl})
		case o.Kind == cluster.OpDelete && stat != nil:
			parts = append(parts, &zoo.DeleteRequest{Path: node, Version: stat.Version})
		case o.Kind == cluster.OpCheck && stat != nil:
			parts = append(parts, &zoo.CheckVersionRequest{Path: node, Version: stat.Version})
		}
	}
	return parts, nil
}

// hasFolder tells whether a folder of sub exists. Folders stay, so the answer yes is remembered.
func (s *Store) hasFolder(ctx context.Context, sess *session, folder string) (bool, error) {
	if s.folders[folder] {
		return true, nil
	}
	stat, err := exists(ctx, sess, folder)
	if err == nil && stat != nil {
		s.folders[folder] = true
	}
	return stat != nil, err
}

// multi runs a ZooKeeper transaction. The results are there when the server answered; the first with an Error says why.
func (s *Store) multi(ctx context.Context, sess *session, parts []any) ([]zoo.MultiResponse, error) {
	type answer struct {
		results []zoo.MultiResponse
		err     error
	}
	sent := time.Now()
	a, err := call(ctx, sess, func() (answer, error) {
		results, err := sess.conn.Multi(parts...)
		return answer{results, err}, nil
	})
	if err == nil {
		err = a.err
	}
	if err == nil || answered(err) {
		sess.answered(sent)
	}
	return a.results, err
}

// size is what a request takes on the wire, generously.
func size(parts []any) int {
	const each = 64 // header, lengths, flags, version, an ACL's numbers
	n := each
	for _, part := range parts {
		n += each
		switch p := part.(type) {
		case *zoo.SetDataRequest:
			n += len(p.Path) + len(p.Data)
		case *zoo.CreateRequest:
			n += len(p.Path) + len(p.Data)
			for _, a := range p.Acl {
				n += len(a.Scheme) + len(a.ID)
			}
		case *zoo.DeleteRequest:
			n += len(p.Path)
		case *zoo.CheckVersionRequest:
			n += len(p.Path)
		}
	}
	return n
}
