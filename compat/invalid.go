package compat

import "fmt"

// InvalidTopology says why a topology cannot run. Nimbus answers it as InvalidTopologyException with this message;
// where Storm has a text for the case it is Storm's.
type InvalidTopology struct{ Message string }

func (e *InvalidTopology) Error() string { return e.Message }

func invalid(format string, args ...any) error {
	return &InvalidTopology{fmt.Sprintf(format, args...)}
}
