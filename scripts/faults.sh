#!/usr/bin/env bash
# make faults: the fault tests in full length (30 minutes of random faults at the end) and one line a fault. SHORT=1 runs them as make
# test does, and 18, in some 10 minutes. SEED=<n> repeats the choices of an earlier run; each line names its seed. NEXT=<file> is the gearstorm to
# which fault 19 goes over, instead of this one built as another version. The whole log is kept in .tools/faults.log. Faults 7, 8, 13
# and 14 need root, fault 12 a Kafka broker (scripts/get-kafka.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
length=long short=
[ -z "${SHORT:-}" ] || length=short short=-short
[ "$(id -u)" = 0 ] || echo "faults 7, 8, 13 and 14 are skipped: they need root" >&2
export SEED=${SEED:-$RANDOM} GEARSTORM_NEXT=${NEXT:+$(realpath "$NEXT")}
scripts/get-zookeeper.sh
scripts/get-kafka.sh
set +e # the status of the tests counts, not that of grep
{
  go test -count=1 $short -timeout 30m -v -run '^TestKilledSink$' ./gearcore/connect/kafka
  sink=$?
  GEARSTORM_FAULTS=$length go test -count=1 -timeout 120m -v -run '^TestFaults$|^TestFault14|LossyDisk|ChaosLeaves' ./integration
  rig=$?
  exit $((sink != 0 || rig != 0))
} 2>&1 | tee .tools/faults.log | grep --line-buffered '^fault '
status=${PIPESTATUS[0]}
set -e
if [ "$status" != 0 ]; then
  grep -E '^ *--- FAIL|^ *fault_.*(FAILED|wait|want)' .tools/faults.log | head -20 >&2
  echo "make faults: FAILED, see .tools/faults.log" >&2
fi
exit "$status"
