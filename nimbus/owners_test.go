package nimbus

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What a scheduler keeps for a user stands beside what he uses, under the scheduler that does so.
func TestGuaranteesOfOwners(t *testing.T) {
	const pools = `{"resource.aware.scheduler.user.pools": {"tester": {"cpu": 500, "memory": 1000.5}}, "multitenant.scheduler.user.pools": {"tester": 3}, "storm.scheduler": `
	for _, c := range []struct {
		scheduler string
		want      stormrpc.OwnerResourceSummary // of the guarantees
	}{
		{"", stormrpc.OwnerResourceSummary{}},
		{"org.apache.storm.scheduler.resource.ResourceAwareScheduler", stormrpc.OwnerResourceSummary{MemoryGuarantee: ref(1000.5), CPUGuarantee: ref(500.0),
			MemoryGuaranteeRemaining: ref(1000.5 - 6*128), CPUGuaranteeRemaining: ref(500.0 - 60)}},
		{"org.apache.storm.scheduler.multitenant.MultitenantScheduler", stormrpc.OwnerResourceSummary{IsolatedNodeGuarantee: ref(int32(3))}},
	} {
		s := start(t, func(cfg *Config) { cfg.Conf = mergeConf(cfg.Conf, pools+`"`+c.scheduler+`"}`) })
		a := s.node("a", 6700, 6701)
		s.submitWords("words", "{}")
		a.until("the topology", hasTopologies(1))
		for _, owner := range []string{"tester", ""} {
			all, err := s.client.GetOwnerResourceSummaries(t.Context(), owner)
			must(t, err)
			got := stormrpc.OwnerResourceSummary{MemoryGuarantee: all[0].MemoryGuarantee, CPUGuarantee: all[0].CPUGuarantee,
				MemoryGuaranteeRemaining: all[0].MemoryGuaranteeRemaining, CPUGuaranteeRemaining: all[0].CPUGuaranteeRemaining,
				IsolatedNodeGuarantee: all[0].IsolatedNodeGuarantee}
			if diff := cmp.Diff(c.want, got); diff != "" || all[0].Owner != "tester" {
				t.Errorf("%s: owners %v (-want +got):\n%s", c.scheduler, all, diff)
			}
		}
	}
}
