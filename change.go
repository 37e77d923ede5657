package gearstorm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Change is what a new version of a topology that runs does, or did. Its JSON is what programs print with "plan -json".
type Change struct {
	Name string `json:"name"`
	// Base is the version that it was compared with, Version the new one. They are the same where nothing would change.
	Base    int64       `json:"base"`
	Version int64       `json:"version"`
	Rows    []ChangeRow `json:"rows"`
	// Restarts says that all workers of the topology start again for it. Otherwise they take it over while they run, and tasks that
	// it does not touch go on without a pause.
	Restarts bool `json:"restarts"`
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
	// Restarts is why workers start again for it, "" if they make it in place.
	Restarts string `json:"restarts,omitempty"`
}

// changeSigns stand before the lines of a Change.
var changeSigns = map[string]string{"add": "+", "remove": "-"}

// String returns the change in lines for people, one for each row, what is added with "+", removed with "-", changed with "~", and
// how each is made.
func (c *Change) String() string {
	var b strings.Builder
	switch {
	case len(c.Refused) > 0:
		fmt.Fprintf(&b, "%s: version %d runs\n", c.Name, c.Base)
	case len(c.Rows) == 0:
		fmt.Fprintf(&b, "%s: version %d runs, and nothing would change\n", c.Name, c.Base)
	default:
		fmt.Fprintf(&b, "%s: version %d -> %d\n", c.Name, c.Base, c.Version)
	}
	width := 0
	for _, r := range c.Rows {
		width = max(width, len(r.subject()))
	}
	for _, r := range c.Rows {
		fmt.Fprintf(&b, "  %s %-*s  %-16s  %s\n", r.sign(), width, r.subject(), r.how(), r.Text)
	}
	for _, why := range c.reasons() {
		fmt.Fprintf(&b, "workers restart: %s\n", why)
	}
	for _, why := range c.Refused {
		fmt.Fprintf(&b, "refused: %s\n", why)
	}
	return b.String()
}

// String returns the row as a line of a Change, without its indentation.
func (r ChangeRow) String() string { return fmt.Sprintf("%s %s  %s", r.sign(), r.subject(), r.Text) }

func (r ChangeRow) sign() string {
	if sign := changeSigns[r.Kind]; sign != "" {
		return sign
	}
	return "~"
}

func (r ChangeRow) how() string {
	if r.Restarts != "" {
		return "restarts workers"
	}
	return "in place"
}

// reasons are those for which workers restart, each once.
func (c *Change) reasons() (out []string) {
	for _, r := range c.Rows {
		if r.Restarts != "" && !slices.Contains(out, r.Restarts) {
			out = append(out, r.Restarts)
		}
	}
	return out
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

// ChangeOf returns what Nimbus answered about a topology of that name as a Change.
func ChangeOf(name string, c *stormrpc.TopologyChange) *Change {
	out := &Change{Name: name, Base: c.BaseVersion, Version: c.Version, Rows: []ChangeRow{}, Restarts: c.GetRestarts(), Refused: []string{}}
	for _, r := range c.Rows {
		out.Rows = append(out.Rows, ChangeRow{r.Kind, r.Component, r.Text, r.GetRestarts()})
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

// whole is the topology with the file of this program. What Submit refuses of it is refused.
func (p Program) whole(o Options) (name string, t *storm.Topology, exe string, err error) {
	if name, t, err = p.build(o); err != nil {
		return "", nil, "", err
	}
	if err := compat.CheckPositions(t.Thrift, t.Conf, t.Components.Source); err != nil {
		return "", nil, "", fmt.Errorf("change %s: %w", name, err)
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
	contents, err := client.ContentsOf(bytes.NewReader(c.zip.Bytes()), int64(c.zip.Len()))
	if err != nil {
		return nil, err
	}
	c.options = &stormrpc.ChangeOptions{DropState: &o.DropState, Replace: o.Replace, JarSha256: &text, JarContents: contents}
	if o.Base != 0 {
		c.options.BaseVersion = &o.Base
	}
	return c, nil
}

// Apply puts p in the place of the topology of that name which runs, and uploads this program for it. It returns what changes when
// Nimbus has stored it; workers with the new version start after that, see [AwaitVersion]. Nothing was done if the Change is refused,
// or has no rows. Options are those of PlanChange, and Progress.
func Apply(ctx context.Context, p Program, o Options) (*Change, error) {
	name, t, exe, err := p.whole(o)
	if err != nil {
		return nil, err
	}
	return applyChange(ctx, name, t, exe, p.Resources, o)
}

// ApplyTopology is Apply for a topology without Go components, as SubmitTopology takes one.
func ApplyTopology(ctx context.Context, name string, t *storm.Topology, resources fs.FS, o Options) (*Change, error) {
	return applyChange(ctx, name, t, "", resources, o)
}

func applyChange(ctx context.Context, name string, t *storm.Topology, exe string, resources fs.FS, o Options) (*Change, error) {
	got, err := ask(ctx, name, t, exe, resources, o, func(nc *client.Client, c *changing, planned *stormrpc.TopologyChange) (*stormrpc.TopologyChange, error) {
		if len(planned.Refused) > 0 || len(planned.Rows) == 0 {
			return planned, nil // before anything is sent
		}
		c.options.BaseVersion = &planned.BaseVersion
		location, err := send(ctx, nc, c.zip, o)
		if err != nil {
			return nil, err
		}
		return nc.Gearstorm().ApplyChange(ctx, name, location, c.conf, t.Thrift, c.options)
	})
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", name, err)
	}
	return got, nil
}

func planChange(ctx context.Context, name string, t *storm.Topology, exe string, resources fs.FS, o Options) (*Change, error) {
	got, err := ask(ctx, name, t, exe, resources, o, func(_ *client.Client, _ *changing, planned *stormrpc.TopologyChange) (*stormrpc.TopologyChange, error) {
		return planned, nil
	})
	if err != nil {
		return nil, fmt.Errorf("plan a change of %s: %w", name, err)
	}
	return got, nil
}

// ask asks Nimbus what a change would do, and returns what then makes of the answer.
func ask(ctx context.Context, name string, t *storm.Topology, exe string, resources fs.FS, o Options,
	then func(*client.Client, *changing, *stormrpc.TopologyChange) (*stormrpc.TopologyChange, error)) (*Change, error) {
	c, err := newChanging(t, exe, resources, o)
	if err != nil {
		return nil, err
	}
	nc, err := connect(o.Nimbus)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	got, err := nc.Gearstorm().PlanChange(ctx, name, c.conf, t.Thrift, c.options)
	if client.KindOf(err) == client.NotAlive {
		return nil, fmt.Errorf("it does not run, so there is nothing to change, submit starts it: %w", err)
	}
	if err == nil {
		got, err = then(nc, c, got)
	}
	if err != nil {
		return nil, err
	}
	return ChangeOf(name, got), nil
}
