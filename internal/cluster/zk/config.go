package zk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// DefaultSession is the session timeout where the operator sets none. Storm's is 20 s; a master has no pauses as those of a JVM,
// one that is away costs no worker, and clients wait 15 s for the next leader.
const DefaultSession = 6 * time.Second

// Config says where ZooKeeper is. FromConf fills it from Storm's keys; Open checks it.
type Config struct {
	// Servers are host:port (storm.zookeeper.servers and .port). They are tried in random order.
	Servers []string
	// Root is the node below which the node "gearstorm" is ours (storm.zookeeper.root).
	Root string
	// SessionTimeout is how long a master may be away and still lead (storm.zookeeper.session.timeout; DefaultSession where
	// nobody set it). ZooKeeper holds it to 2 to 20 of its ticks.
	SessionTimeout time.Duration
	// ConnectTimeout is how long a read or a transaction waits and tries again while there is no connection, and how long it
	// tries to find out what became of a request (storm.zookeeper.connection.timeout, 15 s).
	ConnectTimeout time.Duration
	// Digest is "user:password". If set, nodes are made for this user only (storm.zookeeper.auth.scheme and .payload).
	Digest string
	// Instance names this master among the candidates: letters and digits, up to 64. It may be kept over restarts if no
	// two stores have it at a time; a master then need not wait until the session of its own last life times out. Default
	// is random.
	Instance string
	// TLS makes connections TLS; nil is plain TCP.
	TLS *tls.Config
	// Log is the daemon's. Default slog.Default().
	Log *slog.Logger
}

// Bounds of the session's timeout.
const (
	minSessionTimeout = 500 * time.Millisecond
	maxSessionTimeout = 10 * time.Minute
)

// FromConf reads the keys named at the fields of Config, and storm.zookeeper.ssl.* with gearstorm.zookeeper.ssl.*. Errors name
// the key and never show a secret.
func FromConf(c conf.Conf) (Config, error) {
	var out Config
	hosts, err := c.StringList("storm.zookeeper.servers")
	if err != nil {
		return out, err
	}
	port, err := c.IntOr("storm.zookeeper.port", 2181)
	if err != nil {
		return out, err
	}
	for _, h := range hosts {
		out.Servers = append(out.Servers, address(h, int(port)))
	}
	if out.Root, err = c.StringOr("storm.zookeeper.root", "/storm"); err != nil {
		return out, err
	}
	if out.SessionTimeout, err = c.MillisOr("storm.zookeeper.session.timeout", DefaultSession); err != nil {
		return out, err
	}
	if out.ConnectTimeout, err = c.MillisOr("storm.zookeeper.connection.timeout", 15*time.Second); err != nil {
		return out, err
	}
	if out.Digest, err = digest(c); err != nil {
		return out, err
	}
	out.TLS, err = tlsFromConf(c)
	return out, err
}

// address adds the port to a host that brings none of its own.
func address(host string, port int) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
}

func digest(c conf.Conf) (string, error) {
	scheme, err := c.StringOr("storm.zookeeper.auth.scheme", "")
	if err != nil || scheme == "" {
		return "", err
	}
	if scheme != "digest" {
		return "", fmt.Errorf("storm.zookeeper.auth.scheme %s: only digest is known, with user:password in "+
			"storm.zookeeper.auth.payload", scheme)
	}
	payload, ok := c["storm.zookeeper.auth.payload"].(string) // errors of String would show it
	if user, password, _ := strings.Cut(payload, ":"); !ok || user == "" || password == "" {
		return "", errors.New("storm.zookeeper.auth.payload must be user:password, as storm.zookeeper.auth.scheme is digest")
	}
	return payload, nil
}

// jksKeys are Storm's keys for stores that only a JVM reads.
var jksKeys = []string{
	"storm.zookeeper.ssl.keystore.path", "storm.zookeeper.ssl.keystore.password",
	"storm.zookeeper.ssl.truststore.path", "storm.zookeeper.ssl.truststore.password",
}

// pemKeys name the CA, our certificate and its key.
var pemKeys = []string{"gearstorm.zookeeper.ssl.ca", "gearstorm.zookeeper.ssl.cert", "gearstorm.zookeeper.ssl.key"}

func tlsFromConf(c conf.Conf) (*tls.Config, error) {
	on, err := c.BoolOr("storm.zookeeper.ssl.enable", false)
	if err != nil {
		return nil, err
	}
	if !on {
		for _, key := range pemKeys {
			if c.Has(key) {
				return nil, fmt.Errorf("%s is set, but storm.zookeeper.ssl.enable is not: the connection would not be encrypted", key)
			}
		}
		return nil, nil
	}
	for _, key := range jksKeys {
		if c.Has(key) {
			return nil, fmt.Errorf("%s: Java key stores are not read; name PEM files in gearstorm.zookeeper.ssl.ca, .cert and .key "+
				"(keytool -importkeystore makes a PKCS12 of them, openssl pkcs12 the PEM files)", key)
		}
	}
	names, err := c.BoolOr("storm.zookeeper.ssl.hostnameVerification", false)
	if err != nil {
		return nil, err
	}
	var files [3]string
	for i, key := range pemKeys {
		if files[i], err = c.StringOr(key, ""); err != nil {
			return nil, err
		}
	}
	return loadTLS(files[0], files[1], files[2], names)
}

// loadTLS makes a configuration of PEM files. Without a CA the machine's own ones are trusted, without names any certificate
// of the CA is taken, whatever host it was made for.
func loadTLS(caFile, certFile, keyFile string, names bool) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("gearstorm.zookeeper.ssl.ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("gearstorm.zookeeper.ssl.ca: %s holds no certificate in PEM", caFile)
		}
	}
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("gearstorm.zookeeper.ssl.cert and gearstorm.zookeeper.ssl.key go together: one of them is not set")
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("gearstorm.zookeeper.ssl.cert and .key: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	if !names {
		out.InsecureSkipVerify = true // the chain is verified below, only the name is not
		out.VerifyConnection = func(cs tls.ConnectionState) error { return verifyChain(cs, out.RootCAs) }
	}
	return out, nil
}

func verifyChain(cs tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

func notOfAHost(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\,;"'@`, r) }

func (c *Config) check() error {
	if len(c.Servers) == 0 {
		return errors.New("storm.zookeeper.servers names no server")
	}
	for _, s := range c.Servers {
		host, port, err := net.SplitHostPort(s)
		if n, _ := strconv.Atoi(port); err != nil || host == "" || strings.ContainsFunc(host, notOfAHost) || n < 1 || n > 65535 {
			return fmt.Errorf("storm.zookeeper.servers: %q is no host or host:port", s)
		}
	}
	if c.SessionTimeout < minSessionTimeout || c.SessionTimeout > maxSessionTimeout {
		return fmt.Errorf("storm.zookeeper.session.timeout %v: allowed are %v to %v", c.SessionTimeout, minSessionTimeout, maxSessionTimeout)
	}
	if c.ConnectTimeout <= 0 {
		return fmt.Errorf("storm.zookeeper.connection.timeout %v: must be above 0", c.ConnectTimeout)
	}
	if c.Instance == "" {
		c.Instance = nonce()
	}
	if len(c.Instance) > 64 || strings.ContainsFunc(c.Instance, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return fmt.Errorf("instance %q is not made of up to 64 letters and digits", c.Instance)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// acl is what nodes are made with.
func (c *Config) acl() []zoo.ACL {
	if c.Digest != "" {
		return zoo.AuthACL(zoo.PermAll)
	}
	return zoo.WorldACL(zoo.PermAll)
}
