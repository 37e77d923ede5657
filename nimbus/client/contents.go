package client

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// maxContents bounds the files of a jar that are compared one by one.
const maxContents = 10_000

// resourcesPrefix is where a jar holds what multilang components are started from.
const resourcesPrefix = "resources/"

// ContentsOf lists what a jar or a program's zip file holds, by the sizes and checksums of its directory: nothing is unpacked. It
// returns nil for one with so many files under resources/ that they are not worth comparing.
func ContentsOf(r io.ReaderAt, size int64) (*stormrpc.JarContents, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("list the files of a jar: %w", err)
	}
	out := &stormrpc.JarContents{Scripts: map[string]string{}}
	var rest []string
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		sum := fmt.Sprintf("%08x-%x", f.CRC32, f.UncompressedSize64)
		if name, ok := strings.CutPrefix(f.Name, resourcesPrefix); ok {
			if f.Mode()&0o111 != 0 {
				sum += "-x" // that it may be executed, which nodes keep of its mode
			}
			out.Scripts[name] = sum
			continue
		}
		rest = append(rest, f.Name+"\x00"+sum+"\x00")
	}
	if len(out.Scripts) > maxContents {
		return nil, nil
	}
	slices.Sort(rest)
	all := sha256.New()
	for _, line := range rest {
		io.WriteString(all, line)
	}
	out.Rest = hex.EncodeToString(all.Sum(nil))
	return out, nil
}
