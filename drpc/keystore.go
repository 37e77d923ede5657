package drpc

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// maxStoreBytes is the largest key store that is read.
const maxStoreBytes = 16 << 20

// A Store is a file with a private key and its certificates, or with certificates that are trusted. It is a Java key store (JKS),
// PKCS #12 or PEM; which one is seen from its content, whatever its type is said to be.
type Store struct {
	Path string
	// Password opens the file. PEM files have none.
	Password string
	// KeyPassword opens the private key of a Java key store. Default: the password of the file.
	KeyPassword string
}

// pair reads the private key with its certificates, the server's own first.
func (s Store) pair() (tls.Certificate, error) {
	b, err := readStore(s.Path)
	if err != nil {
		return tls.Certificate{}, err
	}
	var key crypto.PrivateKey
	var chain [][]byte
	switch {
	case isPEM(b):
		pair, err := tls.X509KeyPair(b, b)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("%s: %w", s.Path, err)
		}
		return pair, nil
	case isJKS(b):
		key, chain, err = s.javaPair(b)
	default:
		var own *x509.Certificate
		var more []*x509.Certificate
		if key, own, more, err = pkcs12.DecodeChain(b, s.Password); err == nil {
			chain = [][]byte{own.Raw}
			for _, c := range more {
				chain = append(chain, c.Raw)
			}
		}
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", s.Path, err)
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: certificate: %w", s.Path, err)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}

// javaPair reads the first private key of a Java key store.
func (s Store) javaPair(b []byte) (crypto.PrivateKey, [][]byte, error) {
	store, err := s.java(b)
	if err != nil {
		return nil, nil, err
	}
	names := store.Aliases()
	slices.Sort(names)
	for _, alias := range names {
		if !store.IsPrivateKeyEntry(alias) {
			continue
		}
		password := s.KeyPassword
		if password == "" {
			password = s.Password
		}
		entry, err := store.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, nil, fmt.Errorf("private key %q: %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, nil, fmt.Errorf("private key %q: %w", alias, err)
		}
		var chain [][]byte
		for _, c := range entry.CertificateChain {
			chain = append(chain, c.Content)
		}
		if len(chain) == 0 {
			return nil, nil, fmt.Errorf("private key %q has no certificate", alias)
		}
		return key, chain, nil
	}
	return nil, nil, errors.New("it holds no private key")
}

func (s Store) java(b []byte) (jks.KeyStore, error) {
	store := jks.New()
	if err := store.Load(bytes.NewReader(b), []byte(s.Password)); err != nil {
		return jks.KeyStore{}, err
	}
	return store, nil
}

// trusted reads the certificates that others are checked against.
func (s Store) trusted() (*x509.CertPool, error) {
	b, err := readStore(s.Path)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	switch {
	case isPEM(b):
		all, err = pemCertificates(b)
	case isJKS(b):
		all, err = s.javaTrusted(b)
	default:
		all, err = pkcs12.DecodeTrustStore(b, s.Password)
	}
	if err == nil && len(all) == 0 {
		err = errors.New("it holds no certificate that is trusted")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool, nil
}

func (s Store) javaTrusted(b []byte) (all []*x509.Certificate, err error) {
	store, err := s.java(b)
	if err != nil {
		return nil, err
	}
	for _, alias := range store.Aliases() {
		if !store.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := store.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, fmt.Errorf("certificate %q: %w", alias, err)
		}
		c, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, fmt.Errorf("certificate %q: %w", alias, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func pemCertificates(b []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func readStore(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStoreBytes+1))
	if err == nil && len(b) > maxStoreBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxStoreBytes)
	}
	return b, err
}

func isPEM(b []byte) bool { return bytes.Contains(b[:min(len(b), 4096)], []byte("-----BEGIN ")) }

func isJKS(b []byte) bool { return bytes.HasPrefix(b, []byte{0xfe, 0xed, 0xfe, 0xed}) }
