package drpc

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Keys of HTTPS.
const (
	KeyHTTPSPort   = "drpc.https.port"
	keyHTTPBinding = "drpc.disable.http.binding"
	keyKeyStore    = "drpc.https.keystore"
	keyTrustStore  = "drpc.https.truststore"
)

// HTTPS says how the port of HTTPS proves who the server is and whom it serves.
type HTTPS struct {
	// Keys holds the server's private key and certificates (drpc.https.keystore.*, drpc.https.key.password).
	Keys Store
	// Trust holds the certificates that callers' ones are checked against (drpc.https.truststore.*). Default: what the machine trusts.
	Trust Store
	// Callers is whether callers have to show a certificate (drpc.https.need.client.auth), may show one that then has to be
	// good (drpc.https.want.client.auth), or are not asked for one.
	Callers tls.ClientAuthType
	// Reload has files that change read again (drpc.https.enable.ssl.reload).
	Reload bool
}

// https reads the keys of HTTPS; nil without a port for it.
func (r *reader) https() *HTTPS {
	if r.int(KeyHTTPSPort, -1, -1<<31) <= 0 {
		return nil
	}
	h := &HTTPS{
		Keys:   Store{Path: r.text(keyKeyStore + ".path"), Password: r.text(keyKeyStore + ".password"), KeyPassword: r.text("drpc.https.key.password")},
		Trust:  Store{Path: r.text(keyTrustStore + ".path"), Password: r.text(keyTrustStore + ".password")},
		Reload: r.is("drpc.https.enable.ssl.reload", false),
	}
	if r.is("drpc.https.want.client.auth", false) {
		h.Callers = tls.VerifyClientCertIfGiven
	}
	if r.is("drpc.https.need.client.auth", false) {
		h.Callers = tls.RequireAndVerifyClientCert
	}
	if h.Keys.Path == "" {
		r.fail(fmt.Errorf("%s is set and %s.path is not: it names the file with the server's key and certificates, a Java key store, PKCS #12 or PEM", KeyHTTPSPort, keyKeyStore))
	}
	return h
}

// files reads the files. Errors name the key that is about them.
func (h *HTTPS) files() (*tls.Config, error) {
	pair, err := h.Keys.pair()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyKeyStore, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: h.Callers, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	switch {
	case h.Callers == tls.NoClientCert:
	case h.Trust.Path == "":
		c.ClientCAs, err = x509.SystemCertPool()
	default:
		c.ClientCAs, err = h.Trust.trusted()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyTrustStore, err)
	}
	return c, nil
}

// config is what the port is served with. A file that cannot be read later on, when it has changed, is logged and the one before
// stays in force.
func (h *HTTPS) config(log *slog.Logger) (*tls.Config, error) {
	first, err := h.files()
	if err != nil || !h.Reload {
		return first, err
	}
	var mu sync.Mutex
	current, seen := first, h.stamp()
	fresh := func(*tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := h.stamp(); now != seen {
			seen = now
			if next, err := h.files(); err != nil {
				log.Warn("drpc key stores have changed and cannot be read, the ones before stay", "err", err)
			} else {
				current = next
			}
		}
		return current, nil
	}
	c := first.Clone()
	c.GetConfigForClient = fresh
	return c, nil
}

// stamp differs when a file was changed.
func (h *HTTPS) stamp() (s [2]struct {
	at   time.Time
	size int64
}) {
	for i, path := range []string{h.Keys.Path, h.Trust.Path} {
		if info, err := os.Stat(path); err == nil {
			s[i].at, s[i].size = info.ModTime(), info.Size()
		}
	}
	return s
}
