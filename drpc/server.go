package drpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// endTime is how long callers have to take the answers that a server which ends gives them.
const endTime = 5 * time.Second

// Server is a DRPC server. New binds its ports, Run serves them.
type Server struct {
	cfg         Config
	book        *book
	execute     *wire.Server
	invocations *wire.Server
	http        *http.Server

	executeLn, invocationsLn net.Listener
	httpLn, httpsLn          net.Listener // nil if it is not served over them
}

// New binds the ports. It starts nothing; Run or Close releases them.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, book: newBook(cfg.Limits)}
	conns := 2*cfg.Limits.Requests + 64 // so that the book is what refuses
	options := wire.Options{
		MaxFrameBytes: cfg.MaxFrameBytes, MaxReplyBytes: cfg.MaxFrameBytes + 1024, MaxConns: conns, MaxConnsPerIP: conns,
		MaxInFlight: cfg.Threads, Log: cfg.Log, MaxHeld: conns, Held: []string{"awaitRequest"},
	}
	own := service{s.book}
	var err error
	s.invocations, err = wire.NewServer(options, stormrpc.NewDistributedRPCInvocationsProcessor(own), stormrpc.NewGearstormDRPCProcessor(own))
	if err != nil {
		return nil, fmt.Errorf("make drpc invocations: %w", err)
	}
	options.Held = []string{"execute"}
	if s.execute, err = wire.NewServer(options, stormrpc.NewDistributedRPCProcessor(own)); err != nil {
		return nil, fmt.Errorf("make drpc server: %w", err)
	}
	h := &web{s.book, cfg.MaxFrameBytes}
	s.http = h.server()
	s.http.ErrorLog = slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug) // what callers do wrong
	if err := s.bind(conns); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) bind(conns int) (err error) {
	if s.executeLn, err = s.listen(KeyPort, s.cfg.Ports.Execute); err != nil {
		return err
	}
	if s.invocationsLn, err = s.listen(KeyInvocationsPort, s.cfg.Ports.Invocations); err != nil {
		return err
	}
	if s.cfg.Ports.HTTP >= 0 {
		ln, err := s.listen(KeyHTTPPort, s.cfg.Ports.HTTP)
		if err != nil {
			return err
		}
		s.httpLn = limit(ln, conns)
	}
	if s.cfg.HTTPS == nil {
		return nil
	}
	if s.http.TLSConfig, err = s.cfg.HTTPS.config(s.cfg.Log); err != nil {
		return err
	}
	ln, err := s.listen(KeyHTTPSPort, s.cfg.Ports.HTTPS)
	if err == nil {
		s.httpsLn = limit(ln, conns)
	}
	return err
}

func (s *Server) listen(key string, port int) (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(s.cfg.Host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("bind %s: %w", key, err)
	}
	return ln, nil
}

// Close releases the ports of a server that does not run.
func (s *Server) Close() {
	for _, ln := range []net.Listener{s.executeLn, s.invocationsLn, s.httpLn, s.httpsLn} {
		if ln != nil {
			ln.Close()
		}
	}
}

// Ports returns the ports that are bound; those of HTTP and HTTPS are negative if there is none.
func (s *Server) Ports() Ports {
	p := Ports{portOf(s.executeLn), portOf(s.invocationsLn), -1, -1}
	if s.httpLn != nil {
		p.HTTP = portOf(s.httpLn)
	}
	if s.httpsLn != nil {
		p.HTTPS = portOf(s.httpsLn)
	}
	return p
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// Keys is the configuration by which topologies and clients on this machine find the server.
func (s *Server) Keys() conf.Conf {
	p := s.Ports()
	return conf.Conf{
		KeyServers: []any{s.cfg.Host}, KeyPort: int64(p.Execute), KeyInvocationsPort: int64(p.Invocations), KeyHTTPPort: int64(p.HTTP),
	}
}

// Run serves until ctx ends or a port fails. Requests that are open then end with SERVER_SHUTDOWN.
func (s *Server) Run(ctx context.Context) error {
	parts := []func() error{
		func() error { return s.execute.Serve(s.executeLn) },
		func() error { return s.invocations.Serve(s.invocationsLn) },
	}
	if s.httpLn != nil {
		parts = append(parts, func() error { return served("http", s.http.Serve(s.httpLn)) })
	}
	if s.httpsLn != nil {
		parts = append(parts, func() error { return served("https", s.http.ServeTLS(s.httpsLn, "", "")) })
	}
	ends := make(chan error, len(parts))
	for _, serve := range parts {
		go func() { ends <- serve() }()
	}
	var err error
	running := len(parts)
	select {
	case <-ctx.Done():
	case err = <-ends:
		running--
	}
	s.shutdown()
	for range running {
		err = errors.Join(err, <-ends)
	}
	return err
}

// served is how serving over HTTP ended.
func served(over string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve drpc over %s: %w", over, err)
}

// shutdown answers all callers and ends the services: first the ones who wait, then those they wait for.
func (s *Server) shutdown() {
	s.book.close()
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	for _, part := range []*wire.Server{s.execute, s.invocations} {
		if err := part.Shutdown(ctx); err != nil {
			s.cfg.Log.Warn("drpc callers did not take their answers", "err", err)
		}
	}
}
