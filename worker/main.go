package worker

import (
	"context"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// Main is the worker command: it takes over what the supervisor handed down (the spec on isolate.SpecFD and, under dev,
// the lifeline), logs to the file the spec names, tunes the garbage collector and runs until SIGTERM, the lifeline's
// end, or the end of the worker's job. components makes the Go components of a topology; nil if the program has none.
// The process should exit with 1 on an error.
func Main(ctx context.Context, components func(conf.Conf) (Registry, error)) error {
	spec, err := isolate.ReadSpec(isolate.SpecFD)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	file, err := openLog(spec.LogPath, maxLogBytes)
	if err != nil {
		return err
	}
	defer file.Close()
	log := slog.New(slog.NewTextHandler(file, nil))
	if spec.Lifeline {
		line, err := isolate.OpenLifeline(isolate.LifelineFD)
		if err != nil {
			return err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if line.Wait() == nil {
				log.Info("supervisor is gone")
				cancel()
			}
		}()
		defer func() { line.Close(); <-ended }()
	}
	defer TuneMemory()()
	err = Run(ctx, Config{Spec: spec, Components: components, Log: log})
	if err != nil {
		log.Error("worker died", slog.Any("err", err))
	}
	return err
}
