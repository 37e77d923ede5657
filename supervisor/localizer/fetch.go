package localizer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// Names in a topology's directory that are not the users' to choose.
const (
	jarName      = "stormjar.jar"
	codeName     = "stormcode.ser"
	confName     = "stormconf.ser"
	resourcesDir = "resources"
	binDir       = "bin"
)

// reserved are all of them, and those in the directory of a worker, where local names of blobs appear as well.
var reserved = []string{jarName, codeName, confName, resourcesDir, binDir, recordName, recordName + ".new", ".link.new",
	"pids", "heartbeats", "tmp", "artifacts"}

// fetcher fills one directory with one topology.
type fetcher struct {
	cache    *Cache
	topology string
	code     string // its code id
	root     *os.Root
	record   record
	taken    map[string]bool // names in the directory
}

func (f *fetcher) limits() Limits { return f.cache.cfg.Limits }

func (f *fetcher) run(ctx context.Context) error {
	f.record.Format, f.record.Platform = recordFormat, f.cache.cfg.Platform
	f.record.Versions, f.record.Links = map[string]int64{}, map[string]link{}
	f.taken = map[string]bool{}
	for _, name := range reserved {
		f.taken[name] = true
	}
	if err := f.base(ctx); err != nil {
		return err
	}
	c, err := readConf(f.root)
	if err != nil {
		return err
	}
	if err := f.dependencies(ctx); err != nil {
		return err
	}
	if err := f.userBlobs(ctx, c); err != nil {
		return err
	}
	if err := f.unpackJar(); err != nil {
		return fmt.Errorf("unpack %s: %w", jarName, err)
	}
	if f.record.Files, _, err = hashTree(f.root); err != nil {
		return err
	}
	return writeJSON(f.root, f.record)
}

// base fetches what every topology has. Only the jar may be missing: a topology of commands needs none.
func (f *fetcher) base(ctx context.Context) error {
	if err := f.blob(ctx, client.ConfKey(f.code), confName, f.limits().CodeBytes); err != nil {
		return err
	}
	if err := f.blob(ctx, client.CodeKey(f.code), codeName, f.limits().CodeBytes); err != nil {
		return err
	}
	if err := f.blob(ctx, client.JarKey(f.code), jarName, f.limits().JarBytes); !errors.Is(err, ErrNoBlob) {
		return err
	}
	return f.root.Remove(jarName)
}

// blob fetches one that belongs to this topology alone.
func (f *fetcher) blob(ctx context.Context, key, name string, most int64) error {
	s := f.cache.store
	err := s.tries.do(ctx, func() error {
		_, version, err := s.download(ctx, key, f.root, name, most)
		f.record.Versions[key] = version
		return err
	})
	if err != nil {
		delete(f.record.Versions, key)
		return fmt.Errorf("fetch blob %s: %w", clip(key), err)
	}
	return nil
}

// link brings a blob that others may use as well into the store and makes a name of the directory lead there.
func (f *fetcher) link(ctx context.Context, name string, l link) error {
	if err := f.take(name); err != nil {
		return err
	}
	v, err := f.cache.store.get(ctx, f.topology, l.source())
	if err != nil {
		return err
	}
	l.Blob, l.Version = v.blob, v.number
	f.record.Links[name] = l
	return f.cache.setLink(f.root, f.topology, name, l.Blob)
}

// take gives a user's name to the caller once.
func (f *fetcher) take(name string) error {
	if !plainElement(name) {
		return fmt.Errorf("blob name %q is not a single path element", clip(name))
	}
	if f.taken[name] {
		return fmt.Errorf("blob name %q is taken", name)
	}
	f.taken[name] = true
	return nil
}

// dependencies fetches the jars that the topology's class path needs, under their keys (BasicContainer.java).
func (f *fetcher) dependencies(ctx context.Context) error {
	data, err := f.root.ReadFile(codeName)
	if err != nil {
		return err
	}
	t, err := client.DecodeTopology(data)
	if err != nil {
		return err
	}
	for _, key := range append(append([]string(nil), t.DependencyJars...), t.DependencyArtifacts...) {
		if err := f.link(ctx, key, link{Key: key, Fixed: true}); err != nil {
			return fmt.Errorf("dependency: %w", err)
		}
	}
	return nil
}

// userBlobs fetches topology.blobstore.map: {key: {localname, uncompress, workerRestart}}.
func (f *fetcher) userBlobs(ctx context.Context, c conf.Conf) error {
	m, ok := c["topology.blobstore.map"].(map[string]any)
	if !ok {
		if c.Has("topology.blobstore.map") {
			return errors.New("topology.blobstore.map is not a map")
		}
		return nil
	}
	for key, v := range m {
		options, _ := v.(map[string]any)
		if err := f.userBlob(ctx, key, conf.Conf(options)); err != nil {
			return fmt.Errorf("topology.blobstore.map: %w", err)
		}
	}
	return nil
}

func (f *fetcher) userBlob(ctx context.Context, key string, options conf.Conf) error {
	name, err := options.StringOr("localname", key)
	if err != nil {
		return err
	}
	unpack, err := options.BoolOr("uncompress", false)
	if err != nil {
		return err
	}
	l := link{Key: key}
	if l.Restart, err = options.BoolOr("workerRestart", false); err != nil {
		return err
	}
	if unpack {
		if l.Form, err = formOf(key); err != nil {
			return err
		}
	}
	return f.link(ctx, name, l)
}

func (f *fetcher) unpackJar() error {
	jar, err := f.root.Open(jarName)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer jar.Close()
	z, err := openZip(jar, f.limits())
	if err != nil {
		return err
	}
	if err := unzip(z, resourcesDir+"/", newUnpacker(f.root, f.limits())); err != nil {
		return err
	}
	f.record.Binary, err = goBinary(z, f.cache.cfg.Platform, f.root, f.limits())
	return err
}

// readConf reads the topology's configuration. Its size was bounded when it was fetched.
func readConf(root *os.Root) (conf.Conf, error) {
	data, err := root.ReadFile(confName)
	if err != nil {
		return nil, err
	}
	return client.DecodeConf(data)
}
