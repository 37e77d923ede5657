package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/internal/metrics"
)

// expose writes all metrics of h in Prometheus' text format.
func (h *host) expose(w io.Writer, now time.Time) error {
	e := metrics.NewExposition(w, "topology", h.plan().Graph.Name)
	h.table.Expose(e, now)
	stats := h.engine.Stats()
	e.Family("gearstorm_inbox_batches", "gauge", "Batches that wait in an executor's inbox or are under way; task is the executor's first.")
	for _, s := range stats {
		e.Sample(float64(s.Batches), "component", s.Component, "task", strconv.Itoa(int(s.First)))
	}
	e.Family("gearstorm_inbox_bytes", "gauge", "What those batches hold.")
	for _, s := range stats {
		e.Sample(float64(s.Bytes), "component", s.Component, "task", strconv.Itoa(int(s.First)))
	}
	e.Family("gearstorm_pending_tuples", "gauge", "Tuples of a spout's executor that are neither acked nor failed.")
	for _, s := range stats {
		if h.isSpout(s.Component) {
			e.Sample(float64(s.Pending), "component", s.Component, "task", strconv.Itoa(int(s.First)))
		}
	}
	h.tasks.Load().timed.expose(e)
	return e.Flush()
}

// ServeHTTP answers a scrape.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	h.expose(w, time.Now()) // an error is the scraper's, who has left
}

// ServeMetrics answers GET /metrics on ln, which it closes, with the topology's metrics in Prometheus' text format, until ctx
// ends.
func (l *Local) ServeMetrics(ctx context.Context, ln net.Listener) error {
	return l.host.serveMetrics(ctx, ln)
}

func (h *host) serveMetrics(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", h)
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// metricsAddr is where a worker of a slot serves its metrics, "" for nowhere.
func (s *settings) metricsAddr(port int) string {
	if s.metricsOffset == 0 {
		return ""
	}
	return net.JoinHostPort(s.metricsHost, strconv.Itoa(port+s.metricsOffset))
}
