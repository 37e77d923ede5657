package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// envelopeVersion is that of what stands behind the first line.
const envelopeVersion = 1

// seal writes v as a line that says what follows, and JSON: what is in a store can be read by people, and what was damaged there
// does not pass for something else. The last word of the line is a checksum of all the rest.
func seal(kind string, v any) ([]byte, error) {
	body, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write a %s: %w", kind, err)
	}
	head := fmt.Sprintf("gearstorm %s %d %d", kind, envelopeVersion, len(body))
	return append(fmt.Appendf(nil, "%s %016x\n", head, sealSum(head, body)), body...), nil
}

// sealSum is the checksum of what stands before it on the first line, and of what follows.
func sealSum(head string, body []byte) uint64 {
	h := xxhash.New()
	h.WriteString(head)
	h.Write(body)
	return h.Sum64()
}

// unseal is the opposite of seal. Its errors are ErrCorrupt, but for a version that is not known here.
func unseal(kind string, b []byte, v any) error {
	first, body, ok := bytes.Cut(b, []byte{'\n'})
	first = first[:min(len(first), 100)]
	f := strings.Fields(string(first))
	if !ok || len(f) != 5 || f[0] != "gearstorm" {
		return fmt.Errorf("%w: no %s begins like this", ErrCorrupt, kind)
	}
	if f[3] != fmt.Sprint(len(body)) {
		return fmt.Errorf("%w: a %s of %d bytes that should have %s", ErrCorrupt, kind, len(body), f[3])
	}
	head := string(first[:bytes.LastIndexByte(first, ' ')])
	if f[4] != fmt.Sprintf("%016x", sealSum(head, body)) {
		return fmt.Errorf("%w: the checksum of a %s differs", ErrCorrupt, kind)
	}
	if f[1] != kind {
		return fmt.Errorf("%w: a %s instead of a %s", ErrCorrupt, f[1], kind)
	}
	if f[2] != fmt.Sprint(envelopeVersion) {
		return fmt.Errorf("a %s of version %s: this program reads version %d", kind, f[2], envelopeVersion)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}
