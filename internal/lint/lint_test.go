package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pkg is one package of this module: its imports without tests, and its files.
type pkg struct {
	path    string
	imports map[string][]string // import path -> files
	files   []*ast.File
	names   []string
}

func load(t *testing.T) map[string]*pkg {
	t.Helper()
	root := "../.."
	pkgs := map[string]*pkg{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
		if d.IsDir() {
			if rel != "" && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata" || rel == "thrift/stormrpc") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(rel)
		if dir == "." {
			dir = ""
		}
		q := pkgs[dir]
		if q == nil {
			q = &pkg{path: dir, imports: map[string][]string{}}
			pkgs[dir] = q
		}
		for _, im := range f.Imports {
			ip, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				return err
			}
			q.imports[ip] = append(q.imports[ip], rel)
		}
		q.files = append(q.files, f)
		q.names = append(q.names, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 3 {
		t.Fatalf("found only %d packages below %s", len(pkgs), root)
	}
	return pkgs
}

// own returns the path below the module of an import of this module.
func own(imp string) (string, bool) {
	if imp == module {
		return "", true
	}
	return strings.CutPrefix(imp, module+"/")
}

// matches reports whether package p is name, or below it when name ends in a slash.
func matches(p, name string) bool {
	if strings.HasSuffix(name, "/") {
		return strings.HasPrefix(p+"/", name)
	}
	return p == name
}

func below(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// layer returns the number of p's layer, the longest match winning.
func layer(p string) int {
	best, at := -1, -1
	for i, names := range layers {
		for _, n := range names {
			if matches(p, n) && len(n) > best {
				best, at = len(n), i
			}
		}
	}
	return at
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range load(t) {
		if below(p.path, "internal/lint") || below(p.path, "integration") || below(p.path, "scripts") {
			continue
		}
		at := layer(p.path)
		if at < 0 {
			t.Errorf("package %s stands in no layer: give it one in internal/lint/rules.go and docs/architecture.md", p.path)
			continue
		}
		for imp, files := range p.imports {
			o, ok := own(imp)
			if !ok || slices.Contains(siblings[p.path], o) {
				continue
			}
			if l := layer(o); l >= at {
				t.Errorf("%v import %s: layer %d is not below %s's layer %d", files, imp, l, p.path, at)
			}
		}
	}
}

func TestDaemonsStayApart(t *testing.T) {
	for _, p := range load(t) {
		for _, a := range apart {
			if !below(p.path, a) {
				continue
			}
			for imp, files := range p.imports {
				o, ok := own(imp)
				if !ok || shared[o] {
					continue
				}
				for _, b := range apart {
					if b != a && below(o, b) {
						t.Errorf("%v import %s: %s and %s meet only through nimbus/client", files, imp, a, b)
					}
				}
			}
		}
	}
}

func TestLibrariesStayInTheirHomes(t *testing.T) {
	for _, p := range load(t) {
		for imp, files := range p.imports {
			for lib, at := range homes {
				if !below(imp, lib) {
					continue
				}
				ok := slices.ContainsFunc(at, func(h string) bool { return below(p.path, strings.TrimSuffix(h, "/")) })
				if !ok {
					t.Errorf("%v import %s: its home is %v", files, imp, at)
				}
			}
		}
	}
}

func TestBannedImportsAlsoThroughOthers(t *testing.T) {
	pkgs := load(t)
	for _, p := range pkgs {
		for prefix, bans := range banned {
			if !below(p.path, prefix) {
				continue
			}
			for imp, via := range reach(pkgs, p.path) {
				for _, b := range bans {
					if below(imp, b) {
						t.Errorf("%s imports %s (through %s)", p.path, imp, via)
					}
				}
			}
		}
	}
}

// reach returns every import of start, direct or through packages of this module, with the package it was found in.
func reach(pkgs map[string]*pkg, start string) map[string]string {
	out := map[string]string{}
	todo := []string{start}
	for len(todo) > 0 {
		p := pkgs[todo[0]]
		todo = todo[1:]
		if p == nil {
			continue
		}
		for imp := range p.imports {
			if _, seen := out[imp]; seen {
				continue
			}
			out[imp] = p.path
			if o, ok := own(imp); ok {
				todo = append(todo, o)
			}
		}
	}
	return out
}

func TestPurePackages(t *testing.T) {
	for _, p := range load(t) {
		if !slices.Contains(pure, p.path) {
			continue
		}
		for imp, files := range p.imports {
			if slices.Contains(impure, imp) || strings.HasPrefix(imp, "net/") || strings.HasPrefix(imp, "os/") {
				t.Errorf("%v import %s: the package is pure", files, imp)
			}
		}
		for i, f := range p.files {
			for _, fn := range []string{"Now", "Sleep", "After", "NewTimer", "NewTicker", "Since"} {
				if calls(f, "time", fn) {
					t.Errorf("%s calls time.%s: the package is pure, time comes in as a value", p.names[i], fn)
				}
			}
		}
	}
}

func TestEngineTellsOnlyHooks(t *testing.T) {
	for _, p := range load(t) {
		if p.path != "gearcore/engine" {
			continue
		}
		for imp, files := range p.imports {
			if imp == "log/slog" || imp == "log" || imp == module+"/internal/metrics" {
				t.Errorf("%v import %s: the engine speaks through gearcore.Hooks", files, imp)
			}
		}
	}
}

func TestProcessesStartOnlyWhereAllowed(t *testing.T) {
	allowed := []string{"scripts", "supervisor/isolate", "multilang", "cmd", "examples", "integration", "internal/chaos", "internal/dynamic", "internal/testdisk", "internal/cluster/clustertest", "internal/cluster/zk/zktest", "internal/testserver", "internal/cephtest", "internal/hdfstest", "internal/kafkatest", "internal/redistest"}
	for _, p := range load(t) {
		files, ok := p.imports["os/exec"]
		if ok && !slices.ContainsFunc(allowed, func(a string) bool { return below(p.path, a) }) {
			t.Errorf("%v import os/exec: only %v start processes", files, allowed)
		}
	}
}

func calls(f *ast.File, pkgName, fn string) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == fn {
			if id, ok := s.X.(*ast.Ident); ok && id.Name == pkgName {
				found = true
			}
		}
		return true
	})
	return found
}

// Every package explains itself in a doc comment, and no file passes the wall.
func TestPackagesAndFiles(t *testing.T) {
	for _, p := range load(t) {
		doc := slices.ContainsFunc(p.files, func(f *ast.File) bool { return f.Doc != nil })
		if !doc {
			t.Errorf("package %s has no doc comment", p.path)
		}
		for _, n := range p.names {
			b, err := os.ReadFile("../../" + n)
			if err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(string(b), "\n"); lines > 1000 {
				t.Errorf("%s has %d lines, the wall is 1000", n, lines)
			}
		}
	}
}

// The rules themselves work: a breach is found.
func TestLayerLookup(t *testing.T) {
	for p, want := range map[string]string{"cmd/gearstorm": "cmd/", "": "", "nimbus": "nimbus", "nimbus/client": "nimbus/client"} {
		l := layer(p)
		if l < 0 || !slices.Contains(layers[l], want) {
			t.Errorf("package %q is in layer %d, which has no %q", p, l, want)
		}
	}
	if layer("nowhere") >= 0 {
		t.Error("an unknown package has a layer")
	}
}
