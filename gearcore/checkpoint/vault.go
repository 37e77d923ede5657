package checkpoint

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bounds of what tasks write.
const (
	MaxFile = 128 << 30 // bytes in one file
	maxHint = 80
	// small is up to how many bytes a file is read as a whole before anybody sees something of it: who decodes it would take what is
	// damaged for something else, or stop before the end, where that is known. Of larger ones Readings knows where that was.
	small = 1 << 20
)

// Vault is the way of a topology's tasks to its files. What it writes counts for one epoch: files that no checkpoint
// names are removed once that epoch has ended.
type Vault struct {
	store Store
	area  area
	epoch uint64
}

var _ gearcore.Vault = (*Vault)(nil)

// NewVault returns the vault in which tasks write their parts of an epoch. One that is only read may have epoch 0.
func NewVault(s Store, topology string, epoch uint64) *Vault {
	return &Vault{s, areaOf(topology), epoch}
}

// Put implements gearcore.Vault.
func (v *Vault) Put(ctx context.Context, name string, content io.Reader) (gearcore.File, error) {
	if v.epoch == 0 {
		return gearcore.File{}, fmt.Errorf("write file %s: tasks write files only for a checkpoint", name)
	}
	if len(name) > maxHint || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return gearcore.File{}, fmt.Errorf("write file %q: its name may have %d letters, digits and -", name[:min(len(name), maxHint)], maxHint)
	}
	var unique [8]byte
	rand.Read(unique[:])
	full := v.area.file(v.epoch, hex.EncodeToString(unique[:]))
	if name != "" {
		full += "-" + name
	}
	m := &meter{r: content, hash: xxhash.New()}
	if err := v.store.Put(ctx, full, m); err != nil {
		return gearcore.File{}, fmt.Errorf("write file %s: %w", full, err)
	}
	return gearcore.File{Name: full, Bytes: m.bytes, Sum: m.hash.Sum64()}, nil
}

// Get implements gearcore.Vault. Files of other topologies can be read too: one may have been started from a savepoint of
// another.
func (v *Vault) Get(ctx context.Context, f gearcore.File) (io.ReadCloser, error) {
	if err := CheckName(f.Name); err != nil {
		return nil, err
	}
	r, err := open(ctx, v.store, f.Name)
	if err != nil {
		return nil, fmt.Errorf("read file %s: %w", f.Name, err)
	}
	in := &verified{r: r, file: f, hash: xxhash.New()}
	if f.Bytes > small {
		return in, nil
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Verify reads all files that some parts name to their ends, if need be for the second time. Lost says of its error that one is gone or
// damaged. A task that cannot be restored may have stumbled over what is damaged before it came to the end of the file.
func Verify(ctx context.Context, v gearcore.Vault, parts []gearcore.TaskPart) error {
	for _, p := range parts {
		for _, f := range p.Files {
			in, err := v.Get(ctx, f)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, &underContext{ctx, in})
			in.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// underContext ends reading when ctx does.
type underContext struct {
	ctx context.Context
	r   io.Reader
}

func (u *underContext) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// meter counts and hashes what passes.
type meter struct {
	r     io.Reader
	hash  hash.Hash64
	bytes int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.hash.Write(p[:n])
	if m.bytes += int64(n); m.bytes > MaxFile {
		return n, fmt.Errorf("a file of a checkpoint has more than %d bytes", int64(MaxFile))
	}
	return n, err
}

// verified returns an error where the content ends, if it is not what was put.
type verified struct {
	r     io.ReadCloser
	file  gearcore.File
	hash  hash.Hash64
	bytes int64
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.bytes += int64(n)
	switch {
	case v.bytes > v.file.Bytes:
		return 0, fmt.Errorf("read file %s: %w: more than %d bytes", v.file.Name, ErrCorrupt, v.file.Bytes)
	case err == io.EOF && v.bytes < v.file.Bytes:
		return 0, fmt.Errorf("read file %s: %w: %d bytes of %d", v.file.Name, ErrCorrupt, v.bytes, v.file.Bytes)
	case err == io.EOF && v.hash.Sum64() != v.file.Sum:
		return 0, fmt.Errorf("read file %s: %w: its checksum differs", v.file.Name, ErrCorrupt)
	}
	return n, err
}

func (v *verified) Close() error { return v.r.Close() }
