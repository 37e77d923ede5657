package zk_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster/zk"
)

func TestFromConf(t *testing.T) {
	c := conf.Defaults()
	c["storm.zookeeper.servers"] = []any{"a", "b:2182", "::1", "[fe80::1]:2183"}
	c["storm.zookeeper.auth.scheme"], c["storm.zookeeper.auth.payload"] = "digest", "u:p:q"
	got, err := zk.FromConf(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a:2181", "b:2182", "[::1]:2181", "[fe80::1]:2183"}, got.Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	if got.Root != "/storm" || got.SessionTimeout.Seconds() != 20 || got.ConnectTimeout.Seconds() != 15 || got.Digest != "u:p:q" || got.TLS != nil {
		t.Errorf("got %+v", got)
	}
}

func TestConfigThatIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		set  conf.Conf
		says string
	}{
		{"no server", conf.Conf{"storm.zookeeper.servers": []any{}}, "storm.zookeeper.servers names no server"},
		{"no port", conf.Conf{"storm.zookeeper.port": 99999}, `"a:99999" is no host or host:port`},
		{"two servers in one", conf.Conf{"storm.zookeeper.servers": []any{"a b"}}, `"a b:2181" is no host or host:port`},
		{"relative root", conf.Conf{"storm.zookeeper.root": "storm"}, "wanted is an absolute path"},
		{"root with a hole", conf.Conf{"storm.zookeeper.root": "/a//b"}, "wanted is an absolute path"},
		{"root upwards", conf.Conf{"storm.zookeeper.root": "/a/../b"}, ".. is no name of a node"},
		{"short session", conf.Conf{"storm.zookeeper.session.timeout": 10}, "storm.zookeeper.session.timeout 10ms"},
		{"no patience", conf.Conf{"storm.zookeeper.connection.timeout": 0}, "storm.zookeeper.connection.timeout"},
		{"Kerberos", conf.Conf{"storm.zookeeper.auth.scheme": "sasl"}, "only digest is known"},
		{"half a payload", conf.Conf{"storm.zookeeper.auth.scheme": "digest", "storm.zookeeper.auth.payload": "s3cr3t"}, "must be user:password"},
		{"key store", conf.Conf{"storm.zookeeper.ssl.enable": true, "storm.zookeeper.ssl.truststore.path": "/x.jks"}, "Java key stores are not read"},
		{"certificate without key", conf.Conf{"storm.zookeeper.ssl.enable": true, "gearstorm.zookeeper.ssl.cert": "/x"}, "go together"},
		{"certificates that would not be used", conf.Conf{"gearstorm.zookeeper.ssl.ca": "/x"}, "storm.zookeeper.ssl.enable is not"},
		{"no file", conf.Conf{"storm.zookeeper.ssl.enable": true, "gearstorm.zookeeper.ssl.ca": "/no/such/file"}, "gearstorm.zookeeper.ssl.ca: open /no/such/file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := conf.Conf{"storm.zookeeper.servers": []any{"a"}}
			for k, v := range c.set {
				all[k] = v
			}
			cfg, err := zk.FromConf(all)
			if err == nil {
				var s *zk.Store
				if s, err = zk.Open(cfg); err == nil {
					s.Close()
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cr3t") {
				t.Fatalf("got %v, want %q in it", err, c.says)
			}
		})
	}
}
