package metrics

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"
)

// Exposition writes metrics in Prometheus' text format (version 0.0.4). Family comes first, then its samples.
type Exposition struct {
	w      *bufio.Writer
	common []string
	name   string
}

// ContentType is what an HTTP answer with an Exposition says it is.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// NewExposition writes to w; common are names and values of labels that every sample gets, in pairs.
func NewExposition(w io.Writer, common ...string) *Exposition {
	return &Exposition{w: bufio.NewWriter(w), common: common}
}

// Family begins a metric: name, type (counter, gauge, histogram) and what it says.
func (e *Exposition) Family(name, kind, help string) {
	e.name = name
	e.w.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// Sample writes a value of the family; labels are names and values in pairs.
func (e *Exposition) Sample(v float64, labels ...string) { e.sample("", v, labels) }

// classic are the bounds of classic buckets, powers of two nanoseconds: 1 us to 34 s. They are bounds of a Histogram at
// every scale, so nothing is estimated.
const classicFirst, classicLast = 10, 35

// Histogram writes h in seconds with classic buckets.
func (e *Exposition) Histogram(h *Histogram, labels ...string) {
	for k := classicFirst; k <= classicLast; k++ {
		le := strconv.FormatFloat(math.Ldexp(1e-9, k), 'g', 6, 64)
		e.sample("_bucket", float64(h.atMost(k)), append(labels[:len(labels):len(labels)], "le", le))
	}
	e.sample("_bucket", float64(h.n), append(labels[:len(labels):len(labels)], "le", "+Inf"))
	e.sample("_sum", h.sum/1e9, labels)
	e.sample("_count", float64(h.n), labels)
}

func (e *Exposition) sample(suffix string, v float64, labels []string) {
	e.w.WriteString(e.name + suffix)
	sep := "{"
	for _, ls := range [][]string{e.common, labels} {
		for i := 0; i+1 < len(ls); i += 2 {
			e.w.WriteString(sep + ls[i] + `="` + labelEscapes.Replace(ls[i+1]) + `"`)
			sep = ","
		}
	}
	if sep == "," {
		e.w.WriteByte('}')
	}
	e.w.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

var labelEscapes = strings.NewReplacer("\\", `\\`, "\"", `\"`, "\n", `\n`)

// Flush writes what is buffered and returns the first error.
func (e *Exposition) Flush() error { return e.w.Flush() }
