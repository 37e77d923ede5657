package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
)

func TestWhereTheStateIs(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		options    []string
		want       string // in what openStore says
		err        string
	}{
		{"nothing said", "ui.port: 1\n", nil, "nimbus", ""},
		{"servers named", "storm.zookeeper.servers: [localhost]\n", nil, "ZooKeeper at localhost:2181 below /storm", ""},
		{"servers named by an option", "", []string{`storm.zookeeper.servers=["a","b:1"]`, "storm.zookeeper.port=2"}, "ZooKeeper at a:2,b:1", ""},
		{"embedded all the same", "storm.zookeeper.servers: [a]\ngearstorm.cluster.store: embed\n", nil, "nimbus", ""},
		{"ZooKeeper at its default", "gearstorm.cluster.store: zookeeper\n", nil, "ZooKeeper at localhost:2181", ""},
		{"a key of it wrong", "storm.zookeeper.servers: [a]\nstorm.zookeeper.auth.scheme: sasl\n", nil, "", "only digest is known"},
		{"another store", "gearstorm.cluster.store: etcd\n", nil, "", "Accepted values: [embed, zookeeper]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "storm.yaml"), c.yaml)
			l, err := conf.Load(conf.Sources{Overrides: c.options, Getenv: func(k string) string {
				if k == "STORM_CONF_DIR" {
					return dir
				}
				return ""
			}})
			var store cluster.Store
			where := ""
			if err == nil {
				store, where, err = openStore(l, filepath.Join(dir, "nimbus"), slog.New(slog.DiscardHandler))
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want %q in it", err, c.err)
				}
				return
			}
			if err != nil || !strings.Contains(where, c.want) || strings.Contains(where, "ZooKeeper") != strings.Contains(c.want, "ZooKeeper") {
				t.Fatalf("opened %q, %v; want %q", where, err, c.want)
			}
			if _, _, err := openStore(l, filepath.Join(dir, "nimbus"), slog.New(slog.DiscardHandler)); !errors.Is(err, cluster.ErrLocked) {
				t.Errorf("a second Nimbus in the same folder: got %v, want ErrLocked", err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
			first, _ := os.ReadFile(filepath.Join(dir, "nimbus", "instance"))
			store, _, err = openStore(l, filepath.Join(dir, "nimbus"), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatalf("open again: %v", err)
			}
			defer store.Close()
			if again, _ := os.ReadFile(filepath.Join(dir, "nimbus", "instance")); string(again) != string(first) {
				t.Errorf("the master was %s and became %s", first, again)
			}
		})
	}
}

// Topologies are offered the cluster's own ZooKeeper for their transactions, in the form that Storm's classes read.
func TestOfferZooKeeper(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		servers    any
		port       any
	}{
		{"none", "ui.port: 1\n", nil, nil},
		{"embedded all the same", "storm.zookeeper.servers: [a]\ngearstorm.cluster.store: embed\n", nil, nil},
		{"one port", "storm.zookeeper.servers: [a, \"b:7\", \"::1\"]\nstorm.zookeeper.port: 7\n", []any{"a", "b", "[::1]"}, int64(7)},
		{"several ports", "storm.zookeeper.servers: [\"a:1\", \"b:2\", c]\n", []any{"a:1,b:2,c"}, int64(2181)},
		{"another one is named", "storm.zookeeper.servers: [a]\ntransactional.zookeeper.servers: [b]\n", []any{"b"}, nil},
		{"by TLS", "storm.zookeeper.servers: [a]\nstorm.zookeeper.ssl.enable: true\n", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "storm.yaml"), c.yaml)
			l, err := conf.Load(conf.Sources{File: filepath.Join(dir, "storm.yaml"), Getenv: func(string) string { return "" }})
			if err != nil {
				t.Fatal(err)
			}
			got, err := offerZooKeeper(l)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{c.servers, c.port}, []any{got[compat.TransactionServersKey], got[compat.TransactionPortKey]}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
