package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Mode is what a sink promises.
type Mode string

// The modes. The default is ExactlyOnce, which needs a topology with checkpoints.
const (
	ExactlyOnce Mode = "exactly-once"
	AtLeastOnce Mode = "at-least-once"
)

// SinkOptions says where and how to write. Zero fields mean the defaults.
type SinkOptions struct {
	// Dir gets the files; it is made if it is not there. Required.
	Dir string
	// Name is the beginning of the names of all files. Two sinks in one directory need different ones. Default "part".
	Name string
	// Suffix is the end of the names, as ".log". Default none.
	Suffix string
	// Mode is ExactlyOnce, the default, or AtLeastOnce.
	Mode Mode
	// Existing says what to do about output in Dir that the checkpoint one starts from does not know of: Fail, the default, or Remove.
	Existing Policy
	// Lost says what to do where a file that the checkpoint names is neither there under its hidden name nor under its own: Fail, the default, or Skip,
	// which takes it for one that was published. It is for directories from which readers take files away, or delete them.
	Lost Policy
	// Framing of the files. Default Lines.
	Framing Framing
	// Encode appends a tuple's record to dst. Default: its values as text with tabs between them.
	Encode func(dst []byte, t gearcore.Tuple) ([]byte, error)
	// SyncEvery and SyncTuples say when what was written is forced to disk in the mode AtLeastOnce, whichever comes first.
	// Defaults 100 ms and 1000.
	SyncEvery  time.Duration
	SyncTuples int
}

func (o SinkOptions) withDefaults() SinkOptions {
	if o.Name == "" {
		o.Name = "part"
	}
	if o.Mode == "" {
		o.Mode = ExactlyOnce
	}
	if o.Existing == "" {
		o.Existing = Fail
	}
	if o.Lost == "" {
		o.Lost = Fail
	}
	if o.Framing == "" {
		o.Framing = Lines
	}
	if o.SyncEvery == 0 {
		o.SyncEvery = 100 * time.Millisecond
	}
	if o.SyncTuples == 0 {
		o.SyncTuples = 1000
	}
	if o.Encode == nil {
		o.Encode = appendText
	}
	return o
}

// appendText is the default of SinkOptions.Encode.
func appendText(dst []byte, t gearcore.Tuple) ([]byte, error) {
	for i := range t.Len() {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = append(dst, t.Value(i).Text()...)
	}
	return dst, nil
}

// Validate returns what is wrong with o, all of it.
func (o SinkOptions) Validate() error {
	o = o.withDefaults()
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("file sink: "+format, args...))
		}
	}
	refuse(o.Dir == "", "Dir is empty")
	refuse(o.Name != filepath.Base(o.Name) || o.Name[0] == '.', "Name %q is not the beginning of a file's name", o.Name)
	refuse(o.Suffix != "" && o.Suffix != filepath.Base(o.Suffix), "Suffix %q is not the end of a file's name", o.Suffix)
	refuse(o.Mode != ExactlyOnce && o.Mode != AtLeastOnce, "Mode %q: exactly-once and at-least-once are known", o.Mode)
	refuse(o.Existing != Fail && o.Existing != Remove, "Existing %q: fail and remove are known", o.Existing)
	refuse(o.Lost != Fail && o.Lost != Skip, "Lost %q: fail and skip are known", o.Lost)
	refuse(!o.Framing.known(), "Framing %q: lines and frames are known", o.Framing)
	refuse(o.SyncEvery < time.Millisecond, "SyncEvery %v is shorter than 1ms", o.SyncEvery)
	refuse(o.SyncTuples < 1, "SyncTuples %d is not positive", o.SyncTuples)
	return errors.Join(errs...)
}
