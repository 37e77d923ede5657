package clustersim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// journal collects what happened and what should not have.
type journal struct {
	began time.Time

	mu     sync.Mutex
	lines  []line
	wrongs []string
	terms  map[int64]string // epoch -> master
	epochs map[string]int64 // largest one that a process followed
	totals totals
}

// totals say how much was really put to the test.
type totals struct {
	Seeds, Launches, Adopted, Kills      int
	Attempts, Failed                     int
	Terms, Writes, StaleWrites, Followed int
	Faults                               map[string]int
}

func (t *totals) add(o totals) {
	for _, f := range []struct {
		to   *int
		from int
	}{
		{&t.Seeds, o.Seeds}, {&t.Launches, o.Launches}, {&t.Adopted, o.Adopted}, {&t.Kills, o.Kills}, {&t.Attempts, o.Attempts},
		{&t.Failed, o.Failed}, {&t.Terms, o.Terms}, {&t.Writes, o.Writes}, {&t.StaleWrites, o.StaleWrites},
		{&t.Followed, o.Followed},
	} {
		*f.to += f.from
	}
	if t.Faults == nil {
		t.Faults = map[string]int{}
	}
	for name, n := range o.Faults {
		t.Faults[name] += n
	}
}

// count changes the totals.
func (j *journal) count(f func(t *totals)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.totals)
}

type line struct {
	at   time.Duration
	who  string
	text string
	rec  *slog.Record
}

// maxLines is how much is kept for the report of a failure.
const maxLines = 20_000

func newJournal() *journal {
	return &journal{began: time.Now(), terms: map[int64]string{}, epochs: map[string]int64{}, totals: totals{Seeds: 1, Faults: map[string]int{}}}
}

func (j *journal) add(l line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l.at = time.Since(j.began)
	if len(j.lines) < maxLines {
		j.lines = append(j.lines, l)
	}
}

// say notes what the test does.
func (j *journal) say(format string, args ...any) {
	j.add(line{who: "sim", text: fmt.Sprintf(format, args...)})
}

// wrong notes that a promise was broken.
func (j *journal) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.say("WRONG: %s", text)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.wrongs) < 20 {
		j.wrongs = append(j.wrongs, text)
	}
}

// term notes that a master was elected: an epoch has one.
func (j *journal) term(who string, epoch int64) {
	j.say("%s leads epoch %d", who, epoch)
	j.mu.Lock()
	other, taken := j.terms[epoch]
	j.terms[epoch] = who
	j.totals.Terms++
	j.mu.Unlock()
	if taken && other != who {
		j.wrong("epoch %d has two leaders, %s and %s", epoch, other, who)
	}
}

// newest is the epoch that began last.
func (j *journal) newest() (epoch int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for e := range j.terms {
		epoch = max(epoch, e)
	}
	return epoch
}

// wrote notes a write to the store that began when newest was: only the master of the newest epoch writes.
func (j *journal) wrote(who string, epoch, newest int64, err error) {
	j.mu.Lock()
	owner := j.terms[epoch]
	switch {
	case err == nil:
		j.totals.Writes++
	case errors.Is(err, cluster.ErrFenced):
		j.totals.StaleWrites++
	}
	j.mu.Unlock()
	if err == nil && (owner != who || epoch < newest) {
		j.wrong("%s writes in epoch %d of %s while epoch %d runs", who, epoch, owner, newest)
	}
}

// follow notes that a supervisor or a worker took over a plan of an epoch.
func (j *journal) follow(who string, epoch int64) {
	j.mu.Lock()
	last := j.epochs[who]
	j.epochs[who] = max(last, epoch)
	j.totals.Followed++
	j.mu.Unlock()
	if epoch < last {
		j.wrong("%s follows epoch %d after epoch %d", who, epoch, last)
	}
}

// epoch is the largest that a process followed.
func (j *journal) epoch(who string) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.epochs[who]
}

// logger gives a process its log. Records are kept as they are: they become text when something is wrong.
func (j *journal) logger(who string) *slog.Logger { return slog.New(&handler{j: j, who: who}) }

type handler struct {
	j   *journal
	who string
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }
func (h *handler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *handler) WithGroup(string) slog.Handler            { return h }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "plan in force" || r.Message == "following new plan" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "epoch" {
				h.j.follow(h.who, a.Value.Int64())
			}
			return true
		})
	}
	h.j.add(line{who: h.who, rec: &r})
	return nil
}

// String is the whole story.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	for _, l := range j.lines {
		fmt.Fprintf(&b, "%9.3f %-12s ", l.at.Seconds(), l.who)
		if l.rec == nil {
			b.WriteString(l.text)
		} else {
			fmt.Fprintf(&b, "%s %s", l.rec.Level, l.rec.Message)
			l.rec.Attrs(func(a slog.Attr) bool {
				if text := a.Value.String(); len(text) < 300 {
					fmt.Fprintf(&b, " %s=%s", a.Key, text)
				}
				return true
			})
		}
		b.WriteByte('\n')
	}
	return b.String()
}
