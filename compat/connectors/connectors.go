package connectors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/file"
	"github.com/gearstorm/gearstorm/gearcore/connect/kafka"
	"github.com/gearstorm/gearstorm/gearcore/connect/redis"
)

// Class names.
const (
	FileSource  = "gearstorm.file.Source"
	FileSink    = "gearstorm.file.Sink"
	KafkaSource = "gearstorm.kafka.Source"
	KafkaSink   = "gearstorm.kafka.Sink"
	RedisSink   = "gearstorm.redis.Sink"
)

// Key is where a component's configuration has its properties.
const Key = "gearstorm.connector"

// loosely is behind the class of a sink that writes at least once, which is another component in Go.
const loosely = "/at-least-once"

// Known says whether name is one of these, as a class or as a component in Go.
func Known(name string) bool {
	return slices.Contains([]string{FileSource, FileSink, KafkaSource, KafkaSink, RedisSink}, strings.TrimSuffix(name, loosely))
}

// Classes finds a class for flux.Options. Properties that it cannot have are an error, classes that it does not know flux.ErrUnknownClass.
func Classes(c flux.Class) (flux.Component, error) {
	name, fields, err := look(c)
	if err != nil {
		return flux.Component{}, err
	}
	if len(c.Args) > 0 {
		return flux.Component{}, fmt.Errorf("%s takes properties, not constructor arguments", c.Name)
	}
	out := flux.Component{Name: name, Conf: conf.Conf{Key: c.Properties}}
	if fields != nil {
		out.Streams = map[string]flux.Stream{"default": {Fields: fields}}
	}
	return out, nil
}

// look finds the name of a component in Go and the fields that it emits.
func look(c flux.Class) (name string, fields []string, err error) {
	name = c.Name
	spout := false
	switch c.Name {
	case FileSource:
		spout, fields = true, []string{"line"}
		_, err = fileSource(c.Properties)
	case KafkaSource:
		spout, fields = true, []string{"key", "value", "topic", "partition", "offset", "timestamp"}
		_, err = kafkaSource(c.Properties)
	case FileSink:
		var o file.SinkOptions
		if o, err = fileSink(c.Properties); o.Mode == file.AtLeastOnce {
			name += loosely
		}
	case KafkaSink:
		var o kafka.SinkOptions
		if o, err = kafkaSink(c.Properties); o.Mode != "" && o.Mode != kafka.ExactlyOnce {
			name += loosely
		}
	case RedisSink:
		_, err = redisSink(c.Properties)
	default:
		return "", nil, flux.ErrUnknownClass
	}
	if err == nil && spout != c.Spout {
		err = fmt.Errorf("%s stands in the wrong list of spouts and bolts", c.Name)
	}
	return name, fields, err
}

// Registry makes them in a worker. It implements worker.Registry.
type Registry struct{}

// Source makes a source.
func (Registry) Source(name string) (gearcore.Source, error) {
	switch name {
	case FileSource:
		return &fileReader{}, nil
	case KafkaSource:
		return &kafkaReader{}, nil
	}
	return nil, unknown(name)
}

// Task makes a sink.
func (Registry) Task(name string) (gearcore.Task, error) {
	switch name {
	case FileSink:
		return &fileWriter{}, nil
	case FileSink + loosely:
		return &fileAppender{}, nil
	case KafkaSink:
		return &kafkaWriter{}, nil
	case KafkaSink + loosely:
		return &kafkaProducer{}, nil
	case RedisSink:
		return &redisWriter{}, nil
	}
	return nil, unknown(name)
}

// Grouping makes none.
func (Registry) Grouping(name string) (gearcore.CustomGrouping, error) { return nil, unknown(name) }

func unknown(name string) error {
	return fmt.Errorf("%s is written in Go and none of gearstorm's own: run the topology's own binary", name)
}

// A component is made before its configuration is known, so what does the work is made in Open; what else the engine asks it for comes later.
type (
	fileReader    struct{ *file.Source }
	kafkaReader   struct{ *kafka.Source }
	fileWriter    struct{ *file.Sink }
	fileAppender  struct{ *file.Appender }
	kafkaWriter   struct{ *kafka.Sink }
	kafkaProducer struct{ *kafka.Producer }
	redisWriter   struct{ *redis.Sink }
)

// component is what sources and sinks share.
type component interface {
	comparable
	Open(*gearcore.Context, *gearcore.Collector) error
	Close()
}

// open makes what a component is, of its properties, and opens it.
func open[O any, C component](at *C, ctx *gearcore.Context, c *gearcore.Collector, options func(map[string]any) (O, error), make func(O) (C, error)) error {
	props, ok := ctx.Conf[Key].(map[string]any)
	if !ok {
		return fmt.Errorf("%s is missing in the configuration of the component: it has the properties of its class", Key)
	}
	o, err := options(props)
	if err != nil {
		return err
	}
	if *at, err = make(o); err != nil {
		return err
	}
	return (*at).Open(ctx, c)
}

// shut closes a component; there is nothing to close if it was not made.
func shut[C component](c C) {
	var none C
	if c != none {
		c.Close()
	}
}

// as has a sink of one mode.
func as[C gearcore.Task, O any](newSink func(O) (gearcore.Task, error)) func(O) (C, error) {
	return func(o O) (C, error) {
		t, err := newSink(o)
		out, ok := t.(C)
		if err == nil && !ok {
			err = fmt.Errorf("its mode is another one than that of its class: %T", t)
		}
		return out, err
	}
}

// Open makes the component. So do those of the others.
func (r *fileReader) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&r.Source, ctx, c, fileSource, file.NewSource)
}

func (r *kafkaReader) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&r.Source, ctx, c, kafkaSource, kafka.NewSource)
}

func (w *fileWriter) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&w.Sink, ctx, c, fileSink, as[*file.Sink](file.NewSink))
}

func (w *fileAppender) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&w.Appender, ctx, c, fileSink, as[*file.Appender](file.NewSink))
}

func (w *kafkaWriter) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&w.Sink, ctx, c, kafkaSink, as[*kafka.Sink](kafka.NewSink))
}

func (w *kafkaProducer) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&w.Producer, ctx, c, kafkaSink, as[*kafka.Producer](kafka.NewSink))
}

func (w *redisWriter) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return open(&w.Sink, ctx, c, redisHere, redis.NewSink)
}

// Close closes it. So do those of the others.
func (r *fileReader) Close()    { shut(r.Source) }
func (r *kafkaReader) Close()   { shut(r.Source) }
func (w *fileWriter) Close()    { shut(w.Sink) }
func (w *fileAppender) Close()  { shut(w.Appender) }
func (w *kafkaWriter) Close()   { shut(w.Sink) }
func (w *kafkaProducer) Close() { shut(w.Producer) }
func (w *redisWriter) Close()   { shut(w.Sink) }
