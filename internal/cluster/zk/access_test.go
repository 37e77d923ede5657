package zk_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/zk"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

const password = "s3cr3t-of-the-test"

func TestDigest(t *testing.T) {
	t.Parallel()
	var log lines
	with := func(digest string) func(*zk.Config) {
		return func(c *zk.Config) {
			c.Digest, c.Log = digest, log.logger()
		}
	}
	s, proxy, term, at := leader(t, with("nimbus:"+password))
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("credentials/x", []byte("v"))); err != nil {
		t.Fatal(err)
	}
	proxy.Cut() // credentials are given again
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("credentials/x", []byte("w"))); err != nil {
		t.Fatal(err)
	}
	stranger := bystander(t)
	for _, node := range []string{"", "/gearstorm", "/gearstorm/head", "/gearstorm/candidates", "/gearstorm/sub/credentials", "/gearstorm/sub/credentials/x"} {
		if _, _, err := stranger.Get(at + node); err != zoo.ErrNoAuth {
			t.Errorf("a stranger reads %s: %v", node, err)
		}
	}
	for name, digest := range map[string]string{"none": "", "others": "nimbus:wrong-" + password} {
		c := config(at, serverAddr(t))
		with(digest)(&c)
		other := open(t, c)
		_, read := other.Get(t.Context(), "credentials/x")
		_, lead := other.Campaign(t.Context(), "other")
		for what, err := range map[string]error{"read": read, "campaign": lead} {
			if err == nil || !strings.Contains(err.Error(), "storm.zookeeper.auth.scheme") || !strings.Contains(err.Error(), at) {
				t.Errorf("%s with credentials %s: %v", what, name, err)
			} else if strings.Contains(err.Error(), password) {
				t.Errorf("%s with credentials %s shows them", what, name)
			}
		}
	}
	if log.has(password) {
		t.Fatalf("the log shows the password:\n%s", log.text())
	}
}

func TestCredentialsCameLater(t *testing.T) {
	t.Parallel()
	first, _, _, at := leader(t, nil)
	first.Close()
	for digest, warns := range map[string]bool{"": false, "nimbus:" + password: true} {
		var log lines
		c := config(at, serverAddr(t))
		c.Digest, c.Log = digest, log.logger()
		s := open(t, c)
		if _, err := s.Campaign(t.Context(), "later"); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if log.has("open to everybody") != warns || log.has(password) {
			t.Errorf("with credentials %v the log says:\n%s", digest != "", log.text())
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, foreign := newCA(t, dir, "ca"), newCA(t, dir, "foreign")
	ca.issue(t, dir, "server", "127.0.0.1")
	ca.issue(t, dir, "client", "client")
	foreign.issue(t, dir, "stranger", "client")
	file := func(name string) string { return filepath.Join(dir, name) }
	e := zktest.New(t, zktest.Config{TLS: &zktest.TLS{CA: file("ca.pem"), KeyAndCert: file("server-both.pem")}})
	base := conf.Conf{"storm.zookeeper.servers": []any{e.Servers[0].TLSAddr()}, "storm.zookeeper.ssl.enable": true,
		"storm.zookeeper.connection.timeout": 20000, "gearstorm.zookeeper.ssl.ca": file("ca.pem"),
		"gearstorm.zookeeper.ssl.cert": file("client.pem"), "gearstorm.zookeeper.ssl.key": file("client-key.pem")}
	for _, c := range []struct {
		name string
		set  conf.Conf
		says string // empty: it works
	}{
		{"works", nil, ""},
		{"works with the host's name", conf.Conf{"storm.zookeeper.ssl.hostnameVerification": true}, ""},
		{"a CA that did not sign the server", conf.Conf{"gearstorm.zookeeper.ssl.ca": file("foreign.pem")}, "unknown authority"},
		{"a certificate of another CA", conf.Conf{"gearstorm.zookeeper.ssl.cert": file("stranger.pem"),
			"gearstorm.zookeeper.ssl.key": file("stranger-key.pem")}, "cannot be reached"},
		{"plain TCP to the port of TLS", conf.Conf{"storm.zookeeper.ssl.enable": false, "gearstorm.zookeeper.ssl.ca": nil,
			"gearstorm.zookeeper.ssl.cert": nil, "gearstorm.zookeeper.ssl.key": nil}, "cannot be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := base.Clone()
			for k, v := range c.set {
				all[k] = v
			}
			if c.says != "" {
				all["storm.zookeeper.connection.timeout"] = 700
			}
			cfg, err := zk.FromConf(all)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Log = config("").Log
			_, err = open(t, cfg).Get(t.Context(), "k")
			if c.says == "" && err != cluster.ErrNotFound {
				t.Fatalf("got %v, want ErrNotFound", err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("got %v, want %q in it", err, c.says)
			}
		})
	}
}

// authority signs certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T, dir, name string) authority {
	a := authority{key: newKey(t)}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	write(t, filepath.Join(dir, name+".pem"), certBlock(t, a, a.cert, &a.key.PublicKey))
	return a
}

// issue writes name.pem, name-key.pem, and both in name-both.pem.
func (a authority) issue(t *testing.T, dir, name, host string) {
	key := newKey(t)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, private := certBlock(t, a, c, &key.PublicKey), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	write(t, filepath.Join(dir, name+".pem"), cert)
	write(t, filepath.Join(dir, name+"-key.pem"), private)
	write(t, filepath.Join(dir, name+"-both.pem"), append(private, cert...))
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certBlock(t *testing.T, a authority, c *x509.Certificate, public any) []byte {
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func write(t *testing.T, path string, data []byte) {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
