package checkpoint

import (
	"context"
	"fmt"
	"io"
	"time"
)

// readLimit is how long a store may take until something more comes of a file that is read.
const readLimit = time.Minute

var errStalled = fmt.Errorf("nothing has come for %v", readLimit)

// open reads an object of a store. Where nothing comes for readLimit it is an error, so that whoever restores begins anew, with another server
// perhaps; a store whose connections stay and say nothing would keep him for ever.
func open(ctx context.Context, s Store, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &opened{name: name, ctx: ctx, cancel: cancel, late: time.AfterFunc(readLimit, func() { cancel(errStalled) })}
	var err error
	o.r, err = s.Get(ctx, name)
	o.late.Stop()
	if err != nil {
		if o.stalled() {
			err = errStalled
		}
		cancel(nil)
		return nil, err
	}
	return o, nil
}

// opened is an object that is read.
type opened struct {
	name   string
	r      io.ReadCloser
	ctx    context.Context // that of the store's request
	cancel context.CancelCauseFunc
	late   *time.Timer
}

func (o *opened) Read(p []byte) (int, error) {
	o.late.Reset(readLimit)
	n, err := o.r.Read(p)
	o.late.Stop()
	if err != nil && err != io.EOF && o.stalled() {
		err = fmt.Errorf("read file %s: %w", o.name, errStalled)
	}
	return n, err
}

// stalled reports whether the request was ended because nothing came.
func (o *opened) stalled() bool { return context.Cause(o.ctx) == errStalled }

func (o *opened) Close() error {
	o.late.Stop()
	defer o.cancel(nil)
	return o.r.Close()
}
