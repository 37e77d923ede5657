package checkpoint

import (
	"errors"
	"slices"
	"testing"
)

// Whatever bit of a record is flipped, and wherever it is cut, it is known to be damaged: nothing of it is taken for something else, such
// as a later version, which would not be passed over.
func TestSealShowsDamage(t *testing.T) {
	whole, err := seal("record", Record{Number: 3, Kind: Commits, Epoch: 9, Writer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if err := unseal("record", whole, &r); err != nil || r.Epoch != 9 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i := range whole {
		for bit := range 8 {
			b := slices.Clone(whole)
			b[i] ^= 1 << bit
			if err := unseal("record", b, &r); !errors.Is(err, ErrCorrupt) {
				t.Errorf("bit %d of byte %d (%q) flipped: %v", bit, i, whole[i], err)
			}
		}
		if err := unseal("record", whole[:i], &r); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut after %d bytes: %v", i, err)
		}
	}
}
