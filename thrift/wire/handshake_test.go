package wire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A handshake that replaces the connection: TLS under the frames. The server interrupts its own reads after each held
// call, which must not break the stream.
func TestHandshakeReplacesTheConnection(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"nimbus"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	serverConfig := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}

	addr, _, log := start(t, Options{
		Held: []string{"syncNode"},
		Handshake: func(ctx context.Context, conn net.Conn) (net.Conn, string, error) {
			c := tls.Server(conn, serverConfig)
			return c, "", c.HandshakeContext(ctx)
		},
	}, &nimbus{}, &plans{node: func(_ context.Context, known int64) (*stormrpc.NodePlan, error) {
		return &stormrpc.NodePlan{PlanVersion: known, Topologies: []*stormrpc.TopologyPlan{}}, nil
	}})
	c := dial(t, addr, DialOptions{Handshake: func(ctx context.Context, conn net.Conn) (net.Conn, string, error) {
		c := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "nimbus"})
		return c, "", c.HandshakeContext(ctx)
	}})
	for i := range int64(20) {
		if plan, err := stormrpc.NewGearstormClient(c).SyncNode(t.Context(), report(), i, 0); err != nil || plan.PlanVersion != i {
			t.Fatalf("held call %d: %v, %v", i, plan, err)
		}
		c.used = c.used.Add(-time.Hour) // the client interrupts its reads too
		if _, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context()); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
}
