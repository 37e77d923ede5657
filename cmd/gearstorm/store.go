package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/embed"
	"github.com/gearstorm/gearstorm/internal/cluster/zk"
)

// storeKey chooses what the masters keep the cluster state in.
const storeKey = "gearstorm.cluster.store"

// inZooKeeper tells whether the cluster state is in ZooKeeper: as storeKey says, else if somebody named its servers.
func inZooKeeper(l *conf.Loaded) (bool, error) {
	kind, err := l.StringOr(storeKey, "")
	switch {
	case err != nil:
		return false, err
	case kind == "":
		return l.Set.Has("storm.zookeeper.servers"), nil
	}
	return kind == "zookeeper", nil
}

// openStore opens the cluster state for a Nimbus whose own files are in dir, and says where it is. ZooKeeper need not be there
// yet.
func openStore(l *conf.Loaded, dir string, log *slog.Logger) (store cluster.Store, where string, err error) {
	remote, err := inZooKeeper(l)
	if err != nil {
		return nil, "", err
	}
	if !remote {
		store, err = openEmbedded(dir)
		return store, dir, err
	}
	cfg, err := zk.FromConf(l.Conf)
	if err != nil {
		return nil, "", err
	}
	if !l.Set.Has("storm.zookeeper.session.timeout") {
		cfg.SessionTimeout = zk.DefaultSession // not Storm's, which is in l.Conf
	}
	cfg.Log = log
	release, err := lockDir(dir)
	if err != nil {
		return nil, "", err
	}
	// Under the lock this folder has one master at a time, so its name may be the same in each of its lives.
	cfg.Instance, err = instance(dir)
	var s *zk.Store
	if err == nil {
		s, err = zk.Open(cfg)
	}
	if err != nil {
		return nil, "", errors.Join(err, release())
	}
	where = fmt.Sprintf("ZooKeeper at %s below %s, blobs in %s", strings.Join(cfg.Servers, ","), cfg.Root, dir)
	return &locked{s, release}, where, nil
}

// offerZooKeeper returns the configuration of a Nimbus whose topologies keep their transactions in the cluster's own ZooKeeper, unless
// another one is named. Where that is reached by TLS none is offered: Storm's client of it reads other files than ours.
func offerZooKeeper(l *conf.Loaded) (conf.Conf, error) {
	own, err := inZooKeeper(l)
	if err != nil || !own || l.Has(compat.TransactionServersKey) {
		return l.Conf, err
	}
	c, err := zk.FromConf(l.Conf)
	if err != nil || c.TLS != nil || len(c.Servers) == 0 {
		return l.Conf, err
	}
	servers, port, err := stormServers(c.Servers)
	return conf.Merge(l.Conf, conf.Conf{compat.TransactionServersKey: servers, compat.TransactionPortKey: port}), err
}

// stormServers says in Storm's form, a list of hosts and one port, where servers are. It puts the port behind each entry of the
// list and commas between them, so servers with several ports are one entry, in which only the last port is left off.
func stormServers(addresses []string) (servers []any, port int64, err error) {
	var last string
	same := true
	for _, a := range addresses {
		at := strings.LastIndexByte(a, ':')
		servers = append(servers, a[:at])
		same = same && (last == "" || last == a[at+1:])
		last = a[at+1:]
	}
	if !same {
		servers = []any{strings.TrimSuffix(strings.Join(addresses, ","), ":"+last)}
	}
	port, err = strconv.ParseInt(last, 10, 32)
	return servers, port, err
}

// instance is the name of the master that has dir, made when it is needed first.
func instance(dir string) (string, error) {
	file := filepath.Join(dir, "instance")
	old, err := os.ReadFile(file)
	if err == nil && len(old) > 0 {
		return string(old), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := rand.Text()
	if err := os.WriteFile(file+".new", []byte(name), 0o600); err != nil {
		return "", err
	}
	return name, os.Rename(file+".new", file)
}

// openEmbedded opens the state that one Nimbus has for itself in dir.
func openEmbedded(dir string) (cluster.Store, error) {
	s, err := embed.Open(filepath.Join(dir, "cluster.db"))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// locked is a store in ZooKeeper with the folder of the one master that uses it.
type locked struct {
	*zk.Store
	release func() error
}

// Close implements cluster.Store.
func (l *locked) Close() error { return errors.Join(l.Store.Close(), l.release()) }

// lockDir keeps a second master out of dir, as the file of the embedded store does. The error then is cluster.ErrLocked.
func lockDir(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = cluster.ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return sync.OnceValue(f.Close), nil
}
