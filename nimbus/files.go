package nimbus

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// shipment is what goes along with a version of a topology: a jar, or a program and scripts in the form of one.
type shipment struct {
	sum      string                // SHA-256 in hex, "" if it is not known
	contents *stormrpc.JarContents // nil if it is not known
}

// upload is the shipment of a finished upload.
func (n *Nimbus) upload(location string) (shipment, error) {
	f, size, err := n.blobs.OpenUpload(location)
	if err != nil {
		return shipment{}, invalid("topology jar %q is not a finished upload of this nimbus", location)
	}
	defer f.Close()
	s := shipment{sum: n.blobs.UploadHash(location)}
	s.contents, err = contents(f, size)
	return s, err
}

// shipped is what went along with a version that is stored. What is not here is not known.
func (n *Nimbus) shipped(code string) shipment {
	var s shipment
	n.mu.Lock()
	if e, ok := n.book[client.JarKey(code)]; ok { // else the topology has been removed meanwhile
		s.sum = e.SHA256
	}
	n.mu.Unlock()
	if f, info, err := n.blobs.OpenFile(client.JarKey(code)); err == nil {
		defer f.Close()
		if s.contents, err = contents(f, info.Size); err != nil {
			n.cfg.Log.Warn("cannot look into a stored jar", "code", code, "err", err)
		}
	}
	return s
}

// contents lists the files of a jar as far as checkJar would have read it.
func contents(f *os.File, size int64) (*stormrpc.JarContents, error) {
	return client.ContentsOf(io.NewSectionReader(f, 0, size), size)
}

// other says whether two shipments differ, and whether what is beside scripts does: the program, or classes. One that is not known
// does not differ.
func (s shipment) other(was shipment) (some, beside bool) {
	switch {
	case s.sum == "" || was.sum == "" || s.sum == was.sum:
		return false, false
	case s.contents == nil || was.contents == nil:
		return true, true
	}
	beside = s.contents.Rest != was.contents.Rest
	return beside || !maps.Equal(s.contents.Scripts, was.contents.Scripts), beside
}

// rewritten returns the shell components that have to start anew because files under resources/ are others, with the reason. A file
// that commands name belongs to their components; for any other one nobody knows who reads it, so it belongs to all.
func rewritten(old, next *dag.Graph, was, will shipment) map[string]string {
	out := map[string]string{}
	if some, _ := will.other(was); !some {
		return out
	}
	all := was.contents == nil || will.contents == nil
	changed := map[string]bool{}
	if !all {
		for name := range union(was.contents.Scripts, will.contents.Scripts) {
			if was.contents.Scripts[name] != will.contents.Scripts[name] {
				changed[name] = true
				all = all || !named(old, name) && !named(next, name)
			}
		}
	}
	for _, p := range next.Processors {
		if was := old.Processor(p.Name); p.Impl.Kind != dag.ImplShell || was == nil || was.Impl.Kind != dag.ImplShell {
			continue
		}
		for _, arg := range p.Impl.Command {
			if changed[path.Clean(arg)] {
				out[p.Name] = fmt.Sprintf("%s is another one", path.Clean(arg))
			}
		}
		if out[p.Name] == "" && all {
			out[p.Name] = "files that go along with it are others"
		}
	}
	return out
}

// otherJar is why Java components are replaced whose jar is another.
const otherJar = "its jar is another one"

// inOtherClasses returns the Java components that have to start anew because their classes, or the objects that they are made of, are others,
// with the reason. rest says that what goes along beside resources/ is another: a jar, unless it is the program of Go components, whose workers
// start again anyway.
func inOtherClasses(was, will version, rest bool) map[string]string {
	inGo := func(p *dag.Processor) bool { return p.Impl.Kind == dag.ImplGo }
	why := ""
	switch {
	case rest && !slices.ContainsFunc(was.graph.Processors, inGo) && !slices.ContainsFunc(will.graph.Processors, inGo):
		why = otherJar
	case !slices.Equal(was.code.DependencyJars, will.code.DependencyJars) || !slices.Equal(was.code.DependencyArtifacts, will.code.DependencyArtifacts):
		why = "jars that it depends on are others"
	}
	out := map[string]string{}
	for _, p := range will.graph.Processors {
		old := was.graph.Processor(p.Name)
		switch {
		case old == nil || p.Impl.Kind != dag.ImplJava || old.Impl.Kind != dag.ImplJava:
		case why != "":
			out[p.Name] = why
		case p.Impl.Name == old.Impl.Name && !objectOf(was.code, p.Name).Equals(objectOf(will.code, p.Name)):
			out[p.Name] = "it is made in another way"
		}
	}
	return out
}

// objectOf is what a component is made of; nil if the topology does not say.
func objectOf(t *stormrpc.StormTopology, component string) *stormrpc.ComponentObject {
	if s := t.Spouts[component]; s != nil {
		return s.SpoutObject
	}
	if b := t.Bolts[component]; b != nil {
		return b.BoltObject
	}
	return nil
}

// named says whether a shell component's command names a file.
func named(g *dag.Graph, file string) bool {
	return slices.ContainsFunc(g.Processors, func(p *dag.Processor) bool {
		return p.Impl.Kind == dag.ImplShell && slices.ContainsFunc(p.Impl.Command, func(arg string) bool { return path.Clean(arg) == file })
	})
}

func union(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
