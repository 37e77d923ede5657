package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func someView() View {
	return View{
		Supervisors: []string{"supervisor1", "supervisor2", "supervisor3"}, Leader: "nimbus1", Topology: "verify",
		Workers: []Worker{{Node: "supervisor1", Port: 1}, {Node: "supervisor2", Port: 1}},
	}
}

// The same seed makes the same faults, another one others, and every kind and target has its turn.
func TestChooseIsSeeded(t *testing.T) {
	list := func(seed uint64) (all []string) {
		r := rand.New(rand.NewPCG(seed, seed))
		for range 300 {
			f, ok := Choose(r, Kinds(), someView())
			if !ok {
				t.Fatal("nothing to harm")
			}
			all = append(all, fmt.Sprint(f.Kind, f))
		}
		return all
	}
	if !slices.Equal(list(3), list(3)) {
		t.Error("the same seed chose other faults")
	}
	if slices.Equal(list(3), list(4)) {
		t.Error("another seed chose the same faults")
	}
	r := rand.New(rand.NewPCG(1, 1))
	hit := map[string]bool{}
	for range 3000 {
		f, _ := Choose(r, Kinds(), someView())
		f.Hold = 0
		hit[fmt.Sprint(f.Kind, " ", f)] = true
	}
	if want := 2 + 3 + 3 + 1 + (2 + 3 + 1) + 3 + 6 + 2; len(hit) != want {
		t.Errorf("%d different faults, want %d: %v", len(hit), want, hit)
	}
}

// What cannot be hit is not chosen.
func TestChooseSkipsWhatIsNotThere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	if f, ok := Choose(r, Kinds(), View{}); ok {
		t.Errorf("chose %v of nothing", f)
	}
	for range 100 {
		f, ok := Choose(r, Kinds(), View{Workers: []Worker{{Node: "a", Port: 1}}})
		if !ok || f.Port != 1 {
			t.Fatalf("chose %v, though only a worker is there", f)
		}
	}
}

func TestAble(t *testing.T) {
	able, skipped := Able(Kinds(), false, false)
	if !slices.Equal(able, []Kind{KillWorker, Pause}) || len(skipped) != len(Kinds())-2 {
		t.Errorf("on a cluster of somebody else: %v, skipped %v", able, skipped)
	}
	able, skipped = Able(Kinds(), true, false)
	if slices.Contains(able, Partition) || len(skipped) != 2 {
		t.Errorf("without root: %v, skipped %v", able, skipped)
	}
	if able, _ = Able(Kinds(), true, true); !slices.Equal(able, Kinds()) {
		t.Errorf("with everything: %v", able)
	}
	if able, _ = Able([]Kind{Partition}, true, true); !slices.Equal(able, []Kind{Partition}) {
		t.Errorf("of one: %v", able)
	}
}

func TestParseKinds(t *testing.T) {
	got, err := ParseKinds("pause, worker,pause")
	if err != nil || !slices.Equal(got, []Kind{Pause, KillWorker}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "worker,", "wroker", "worker partition"} {
		if got, err := ParseKinds(bad); err == nil {
			t.Errorf("%q reads as %v", bad, got)
		}
	}
	for _, k := range Kinds() {
		if k.Does() == "" {
			t.Errorf("nobody says what %s does", k)
		}
	}
}

func TestUntouched(t *testing.T) {
	v := someView()
	if err := Untouched(v.Workers, v.Workers); err != nil {
		t.Error(err)
	}
	other := slices.Clone(v.Workers)
	other[1].Pid = 9
	if err := Untouched(v.Workers, other); err == nil {
		t.Error("a worker with another pid counts as the same")
	}
}
