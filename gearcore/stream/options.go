package stream

// Option says more about a step.
type Option func(*options)

type options struct {
	parallelism int
	apart       bool
	codec       any // a Codec of what the step puts out
	times       any // a *times of what a source puts out
	conf        map[string]any
}

func collect(opts []Option) options {
	o := options{conf: map[string]any{}}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// Parallelism makes a step run in n tasks, 1 to 4096. Without it a step that keeps no state runs in the tasks of the one
// before it, and one that does in a single task.
func Parallelism(n int) Option { return func(o *options) { o.parallelism = n } }

// Apart gives a step without state a component of its own, with tasks and figures of its own. Else it is called by the
// step before it, in the same task.
func Apart() Option { return func(o *options) { o.apart = true } }

// WithCodec says how what the step puts out travels between tasks. T is the type of its output. Without it that is what
// CodecOf returns.
func WithCodec[T any](c Codec[T]) Option { return func(o *options) { o.codec = c } }

// WithConf sets a key in the configuration of the step's component. It acts only on a step that begins one.
func WithConf(key string, value any) Option { return func(o *options) { o.conf[key] = value } }
