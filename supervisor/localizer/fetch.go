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

// fetcher fills one directory with one topology.
type fetcher struct {
	from     Source
	limits   Limits
	topology string
	platform string
	root     *os.Root
	record   record
	taken    map[string]bool // names in the directory
}

func (f *fetcher) run(ctx context.Context) error {
	f.record = record{Format: recordFormat, Platform: f.platform, Versions: map[string]int64{}}
	f.taken = map[string]bool{jarName: true, codeName: true, confName: true, resourcesDir: true, binDir: true, recordName: true}
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
	if err := f.record.hashAll(f.root); err != nil {
		return err
	}
	return f.record.write(f.root)
}

// base fetches what every topology has. Only the jar may be missing: a topology of commands needs none.
func (f *fetcher) base(ctx context.Context) error {
	if err := f.blob(ctx, client.ConfKey(f.topology), confName, f.limits.CodeBytes); err != nil {
		return err
	}
	if err := f.blob(ctx, client.CodeKey(f.topology), codeName, f.limits.CodeBytes); err != nil {
		return err
	}
	if err := f.blob(ctx, client.JarKey(f.topology), jarName, f.limits.JarBytes); !errors.Is(err, ErrNoBlob) {
		return err
	}
	return f.root.Remove(jarName)
}

func (f *fetcher) blob(ctx context.Context, key, name string, most int64) error {
	out, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	version, err := f.from.ReadBlob(ctx, key, out, most)
	if e := out.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("fetch blob %s: %w", clip(key), err)
	}
	f.record.Versions[key] = version
	return nil
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
		if err := f.take(key); err != nil {
			return fmt.Errorf("dependency: %w", err)
		}
		if err := f.blob(ctx, key, key, f.limits.JarBytes); err != nil {
			return err
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
		name, err := conf.Conf(options).StringOr("localname", key)
		if err != nil {
			return err
		}
		unpack, err := conf.Conf(options).BoolOr("uncompress", false)
		if err != nil {
			return err
		}
		if err := f.userBlob(ctx, key, name, unpack); err != nil {
			return fmt.Errorf("topology.blobstore.map: %w", err)
		}
	}
	return nil
}

func (f *fetcher) userBlob(ctx context.Context, key, name string, unpack bool) error {
	if err := f.take(name); err != nil {
		return err
	}
	if !unpack {
		return f.blob(ctx, key, name, f.limits.JarBytes)
	}
	const packed = ".packed"
	if err := f.blob(ctx, key, packed, f.limits.JarBytes); err != nil {
		return err
	}
	if err := f.unpackUserBlob(key, packed, name); err != nil {
		return fmt.Errorf("unpack blob %s: %w", clip(key), err)
	}
	return f.root.Remove(packed)
}

func (f *fetcher) unpackUserBlob(key, packed, name string) error {
	if err := f.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	below, err := f.root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer below.Close()
	in, err := f.root.Open(packed)
	if err != nil {
		return err
	}
	defer in.Close()
	return unpackArchive(in, key, newUnpacker(below, f.limits))
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
	z, err := openZip(jar, f.limits)
	if err != nil {
		return err
	}
	if err := unzip(z, resourcesDir+"/", newUnpacker(f.root, f.limits)); err != nil {
		return err
	}
	f.record.Binary, err = goBinary(z, f.platform, f.root, f.limits)
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
