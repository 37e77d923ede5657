package drpc

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// identity is a self-signed certificate with its key.
type identity struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIdentity(t *testing.T, name string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return identity{key, c}
}

func (i identity) pkcs8(t *testing.T) []byte {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (i identity) pem(t *testing.T) []byte {
	t.Helper()
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: i.pkcs8(t)}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})...)
}

// java is a Java key store; without a key it only trusts the certificate.
func (i identity) java(t *testing.T, password, keyPassword string) []byte {
	t.Helper()
	store := jks.New()
	c := jks.Certificate{Type: "X509", Content: i.cert.Raw}
	var err error
	if keyPassword == "" {
		err = store.SetTrustedCertificateEntry("ca", jks.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: c})
	} else {
		err = store.SetPrivateKeyEntry("own", jks.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: i.pkcs8(t), CertificateChain: []jks.Certificate{c}}, []byte(keyPassword))
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := store.Store(&b, []byte(password)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (i identity) pkcs12(t *testing.T, password string) []byte {
	t.Helper()
	b, err := pkcs12.Modern.Encode(i.key, i.cert, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveHTTPS runs a server with keys of the configuration and a function that says its arguments again.
func serveHTTPS(t *testing.T, keys conf.Conf) *running {
	t.Helper()
	cfg, err := FromConf(conf.Merge(conf.Defaults(), conf.Conf{KeyHTTPSPort: int64(1)}, keys))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Ports = Ports{HTTP: cfg.Ports.HTTP} // free ones
	if cfg.Ports.HTTP > 0 {
		cfg.Ports.HTTP = 0
	}
	s := startWith(t, cfg)
	answering(t, s.book, "say", func(args string) outcome { return outcome{result: args} })
	return s
}

// call asks for https://.../drpc/say/hello and returns who answered it.
func (s *running) call(t *testing.T, trusted *x509.Certificate, own *identity) (server *x509.Certificate, err error) {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(trusted)
	if own != nil {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}}
	}
	tr := &http.Transport{TLSClientConfig: c}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/drpc/say/hello", s.Ports().HTTPS), nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && (string(b) != "hello" || resp.StatusCode != http.StatusOK) {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return resp.TLS.PeerCertificates[0], err
}

// A key store of each kind serves, with one password and with a key's own.
func TestHTTPSKeyStores(t *testing.T) {
	own := newIdentity(t, "server")
	for name, keys := range map[string]conf.Conf{
		"pem":                     {"drpc.https.keystore.path": write(t, own.pem(t))},
		"pkcs12":                  {"drpc.https.keystore.path": write(t, own.pkcs12(t, "secret")), "drpc.https.keystore.password": "secret", "drpc.https.keystore.type": "PKCS12"},
		"java":                    {"drpc.https.keystore.path": write(t, own.java(t, "secret", "secret")), "drpc.https.keystore.password": "secret"},
		"java, a key's own":       {"drpc.https.keystore.path": write(t, own.java(t, "secret", "other1")), "drpc.https.keystore.password": "secret", "drpc.https.key.password": "other1"},
		"pkcs12 said to be a JKS": {"drpc.https.keystore.path": write(t, own.pkcs12(t, "secret")), "drpc.https.keystore.password": "secret", "drpc.https.keystore.type": "JKS"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveHTTPS(t, keys)
			if _, err := s.call(t, own.cert, nil); err != nil {
				t.Error(err)
			}
			if p := s.Ports(); p.HTTP >= 0 {
				t.Errorf("HTTP is served too, on port %d", p.HTTP)
			}
		})
	}
}

// keytool's own files are read too.
func TestHTTPSKeytool(t *testing.T) {
	if _, err := exec.LookPath("keytool"); err != nil {
		t.Skip("keytool is not installed")
	}
	for _, kind := range []string{"JKS", "PKCS12"} {
		path := filepath.Join(t.TempDir(), "keys")
		out, err := exec.Command("keytool", "-genkeypair", "-keystore", path, "-storetype", kind, "-storepass", "secret", "-keypass", "secret", "-alias", "own", "-keyalg", "RSA",
			"-dname", "CN=server", "-ext", "san=ip:127.0.0.1", "-validity", "10").CombinedOutput()
		if err != nil {
			t.Fatalf("keytool: %v: %s", err, out)
		}
		out, err = exec.Command("keytool", "-exportcert", "-rfc", "-keystore", path, "-storepass", "secret", "-alias", "own").Output()
		if err != nil {
			t.Fatal(err)
		}
		certs, err := pemCertificates(out)
		if err != nil || len(certs) != 1 {
			t.Fatalf("%d certificates, %v", len(certs), err)
		}
		s := serveHTTPS(t, conf.Conf{"drpc.https.keystore.path": path, "drpc.https.keystore.password": "secret", "drpc.https.keystore.type": kind, keyHTTPBinding: false})
		if _, err := s.call(t, certs[0], nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if s.Ports().HTTP <= 0 {
			t.Errorf("HTTP is not served beside it although %s is false", keyHTTPBinding)
		}
	}
}

// Who has to show a certificate is served only with one that is trusted.
func TestHTTPSCallers(t *testing.T) {
	own, caller, stranger := newIdentity(t, "server"), newIdentity(t, "caller"), newIdentity(t, "stranger")
	trustP12, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{caller.cert}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string][]byte{"pem": caller.pem(t), "java": caller.java(t, "secret", ""), "pkcs12": trustP12} {
		for _, need := range []bool{true, false} {
			s := serveHTTPS(t, conf.Conf{"drpc.https.keystore.path": write(t, own.pem(t)), "drpc.https.truststore.path": write(t, trust), "drpc.https.truststore.password": "secret",
				"drpc.https.need.client.auth": need, "drpc.https.want.client.auth": true})
			if _, err := s.call(t, own.cert, &caller); err != nil {
				t.Errorf("%s, needed %v: who is trusted: %v", name, need, err)
			}
			if _, err := s.call(t, own.cert, &stranger); err == nil && need { // else the caller need not show what it has
				t.Errorf("%s, needed %v: a stranger is served", name, need)
			}
			if _, err := s.call(t, own.cert, nil); (err == nil) == need {
				t.Errorf("%s, needed %v: without a certificate: %v", name, need, err)
			}
		}
	}
}

// A new certificate is taken while the server runs; a file that makes no sense is not.
func TestHTTPSReload(t *testing.T) {
	first, second := newIdentity(t, "first"), newIdentity(t, "second")
	path := write(t, first.pem(t))
	s := serveHTTPS(t, conf.Conf{"drpc.https.keystore.path": path, "drpc.https.enable.ssl.reload": true})
	if _, err := s.call(t, first.cert, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, second.pem(t), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute)) // whatever the clock of the disk
	if got, err := s.call(t, second.cert, nil); err != nil || got.Subject.CommonName != "second" {
		t.Fatalf("after the change: %v", err)
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.call(t, second.cert, nil); err != nil {
		t.Errorf("after a file without sense: %v", err)
	}
}

// What is wrong is said before a port is bound, with the key and the file.
func TestHTTPSRefuses(t *testing.T) {
	own := newIdentity(t, "server")
	good := write(t, own.pem(t))
	for name, c := range map[string]struct {
		keys conf.Conf
		want string
	}{
		"no key store":          {conf.Conf{}, "drpc.https.port is set and drpc.https.keystore.path is not"},
		"a file that is away":   {conf.Conf{"drpc.https.keystore.path": "/nosuch/store"}, "/nosuch/store"},
		"a wrong password":      {conf.Conf{"drpc.https.keystore.path": write(t, own.java(t, "secret", "secret")), "drpc.https.keystore.password": "no"}, "drpc.https.keystore"},
		"a wrong password, p12": {conf.Conf{"drpc.https.keystore.path": write(t, own.pkcs12(t, "secret")), "drpc.https.keystore.password": "no"}, "password"},
		"rubbish":               {conf.Conf{"drpc.https.keystore.path": write(t, []byte("rubbish"))}, "drpc.https.keystore"},
		"no private key":        {conf.Conf{"drpc.https.keystore.path": write(t, own.java(t, "secret", "")), "drpc.https.keystore.password": "secret"}, "no private key"},
		"no certificate that is trusted": {conf.Conf{"drpc.https.keystore.path": good, "drpc.https.need.client.auth": true,
			"drpc.https.truststore.path": write(t, []byte("-----BEGIN NOTHING-----\n-----END NOTHING-----\n"))}, "drpc.https.truststore"},
		"a flag that is none": {conf.Conf{"drpc.https.keystore.path": good, "drpc.https.need.client.auth": "maybe"}, "drpc.https.need.client.auth"},
	} {
		cfg, err := FromConf(conf.Merge(conf.Defaults(), conf.Conf{KeyHTTPSPort: int64(1)}, c.keys))
		if err == nil {
			cfg.Ports = Ports{HTTP: -1}
			var s *Server
			if s, err = New(cfg); err == nil {
				s.Close()
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Requests over HTTPS end like others when the server ends.
func TestHTTPSShutdown(t *testing.T) {
	own := newIdentity(t, "server")
	s := serveHTTPS(t, conf.Conf{"drpc.https.keystore.path": write(t, own.pem(t))})
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", s.Ports().HTTPS))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /drpc/nobody/x HTTP/1.1\r\nHost: x\r\n\r\n")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if n, _ := s.book.counts(); n > 0 {
			break
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "SERVER_SHUTDOWN") {
		t.Errorf("it is answered with %q, %v", b, err)
	}
}
