package exact

import (
	"strings"
	"testing"
)

// files writes what a run with one source and one sink leaves: the position and the records of each epoch.
func files(t *testing.T, topo Topology, positions []int, records [][]entry) {
	t.Helper()
	for i := range positions {
		for name, v := range map[string]any{positionFile(0, uint64(i+1)): positions[i], recordsFile(0, uint64(i+1)): records[i]} {
			if err := writeOnce(topo.Dir, name, v); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	record := func(number, count int) entry { return entry{keyOf(0, number, 1), count, 0, number} }
	for _, tc := range []struct {
		name             string
		positions        []int
		records          [][]entry
		lost, duplicated int
		wrong            string
	}{
		{"all once", []int{1, 3}, [][]entry{{record(0, 1)}, {record(2, 2), record(1, 3)}}, 0, 0, ""},
		{"one lost", []int{1, 4}, [][]entry{{record(0, 1)}, {record(2, 2), record(3, 3)}}, 1, 0, "record 1 is not visible"},
		{"late", []int{2, 2}, [][]entry{{record(0, 1)}, {record(1, 2)}}, 0, 0, "was at 2, and 1 of its records"},
		{"one twice", []int{1, 2}, [][]entry{{record(0, 1)}, {record(1, 2), record(0, 3)}}, 0, 1, "record 0 of source 0 is visible twice"},
		{"counted twice", []int{1, 2}, [][]entry{{record(0, 1)}, {record(1, 1)}}, 0, 0, "counted to 1 twice"},
		{"a count left out", []int{1, 2}, [][]entry{{record(0, 1)}, {record(1, 3)}}, 0, 0, "but not to 2"},
		{"nobody's", []int{1}, [][]entry{{record(0, 1), record(900, 2)}}, 0, 0, "nobody emitted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			topo := Topology{Dir: t.TempDir(), Records: 100, Keys: 1}
			files(t, topo, tc.positions, tc.records)
			r, err := Check(topo)
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(r.Wrong, "\n")
			if r.Lost != tc.lost || r.Duplicated != tc.duplicated || (said == "") != (tc.wrong == "") || !strings.Contains(said, tc.wrong) {
				t.Errorf("lost %d, duplicated %d, wrong %q; want %d, %d, %q", r.Lost, r.Duplicated, said, tc.lost, tc.duplicated, tc.wrong)
			}
		})
	}
}
