package gearstorm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Change is what a new version of a topology that runs does, or did. Its JSON is what programs print with "plan -json".
type Change struct {
	Name string `json:"name"`
	// Base is the version that it was compared with, Version the new one. They are the same where nothing would change.
	Base    int64       `json:"base"`
	Version int64       `json:"version"`
	Rows    []ChangeRow `json:"rows"`
	// Refused says why it cannot be made; none: it can.
	Refused []string `json:"refused"`
}

// ChangeRow is one line of a Change.
type ChangeRow struct {
	// Kind is add, remove, replace, rescale, edge, conf, or code for the files that go along.
	Kind string `json:"kind"`
	// Component is "" for the topology itself.
	Component string `json:"component,omitempty"`
	Text      string `json:"text"`
}

// changeSigns stand before the lines of a Change.
var changeSigns = map[string]string{"add": "+", "remove": "-"}

// String returns the change in lines for people, one for each row, what is added with "+", removed with "-", changed with "~".
func (c *Change) String() string {
	var b strings.Builder
	switch {
	case len(c.Rows) == 0:
		fmt.Fprintf(&b, "%s: version %d runs, and nothing would change\n", c.Name, c.Base)
	case len(c.Refused) > 0:
		fmt.Fprintf(&b, "%s: version %d runs\n", c.Name, c.Base)
	default:
		fmt.Fprintf(&b, "%s: version %d -> %d\n", c.Name, c.Base, c.Version)
	}
	width := 0
	for _, r := range c.Rows {
		width = max(width, len(r.subject()))
	}
	for _, r := range c.Rows {
		sign := changeSigns[r.Kind]
		if sign == "" {
			sign = "~"
		}
		fmt.Fprintf(&b, "  %s %-*s  %s\n", sign, width, r.subject(), r.Text)
	}
	for _, why := range c.Refused {
		fmt.Fprintf(&b, "refused: %s\n", why)
	}
	return b.String()
}

// subject is what a row is about.
func (r ChangeRow) subject() string {
	switch {
	case r.Component != "":
		return r.Component
	case r.Kind == "code":
		return "(files)"
	}
	return "(topology)"
}

func changeOf(name string, c *stormrpc.TopologyChange) *Change {
	out := &Change{Name: name, Base: c.BaseVersion, Version: c.Version, Rows: []ChangeRow{}, Refused: []string{}}
	for _, r := range c.Rows {
		out.Rows = append(out.Rows, ChangeRow{r.Kind, r.Component, r.Text})
	}
	out.Refused = append(out.Refused, c.Refused...)
	return out
}

// PlanChange says what it would do to put p in the place of the topology of that name which runs. Nothing changes, and
// nothing is uploaded. Of the options those of Submit count, except for Inactive, and those of a change.
func PlanChange(ctx context.Context, p Program, o Options) (*Change, error) {
	name, t, exe, err := p.whole(o)
	if err != nil {
		return nil, err
	}
	return planChange(ctx, name, t, exe, p.Resources, o)
}

// PlanTopology is PlanChange for a topology without Go components, as SubmitTopology takes one.
func PlanTopology(ctx context.Context, name string, t *storm.Topology, resources fs.FS, o Options) (*Change, error) {
	return planChange(ctx, name, t, "", resources, o)
}

// whole is the topology with the file of this program.
func (p Program) whole(o Options) (name string, t *storm.Topology, exe string, err error) {
	if name, t, err = p.build(o); err != nil {
		return "", nil, "", err
	}
	if exe, err = os.Executable(); err != nil {
		return "", nil, "", fmt.Errorf("find this program: %w", err)
	}
	return name, t, exe, nil
}

// changing is a change on its way to Nimbus.
type changing struct {
	conf    string
	zip     *bytes.Buffer
	options *stormrpc.ChangeOptions
}

func newChanging(t *storm.Topology, exe string, resources fs.FS, o Options) (*changing, error) {
	jsonConf, err := t.Conf.JSON()
	if err != nil {
		return nil, err
	}
	c := &changing{conf: string(jsonConf), zip: new(bytes.Buffer)}
	if err := pack(c.zip, exe, o.Jar, resources); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(c.zip.Bytes())
	text := hex.EncodeToString(sum[:])
	c.options = &stormrpc.ChangeOptions{DropState: &o.DropState, Replace: o.Replace, JarSha256: &text}
	if o.Base != 0 {
		c.options.BaseVersion = &o.Base
	}
	return c, nil
}

func planChange(ctx context.Context, name string, t *storm.Topology, exe string, resources fs.FS, o Options) (*Change, error) {
	failed := func(err error) (*Change, error) { return nil, fmt.Errorf("plan a change of %s: %w", name, err) }
	c, err := newChanging(t, exe, resources, o)
	if err != nil {
		return failed(err)
	}
	nc, err := connect(o.Nimbus)
	if err != nil {
		return failed(err)
	}
	defer nc.Close()
	answer, err := nc.Gearstorm().PlanChange(ctx, name, c.conf, t.Thrift, c.options)
	if err != nil {
		return failed(err)
	}
	return changeOf(name, answer), nil
}
