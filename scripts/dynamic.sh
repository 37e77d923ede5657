#!/usr/bin/env bash
# make dynamic: a topology under load with checkpoints is edited at random while it runs, EDITS times (default 1,000), and then one with
# SIZE MiB of state (default 1,024) is rescaled. One line a result. SEED=<n> repeats the edits of an earlier run, RATE=<n> is the load in
# records a second, WAIT=1 has each command wait as it does for users, BASE=<n> how many seconds are watched without edits, SCENARIO=edits or state runs one of the two. The whole log is kept in .tools/dynamic.log.
# Children run with the Python of .tools/venv and may keep what it compiles, so what the machine's own Python loads at each start (wrappers, .pth files) is not measured.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
export SEED=${SEED:-$RANDOM} EDITS=${EDITS:-1000} BASE=${BASE:-60} GEARSTORM_DYNAMIC=1
case ${SCENARIO:-all} in
  edits) tests='^TestDynamic$' ;;
  state) tests='^TestDynamicState$' ;;
  all) tests='^TestDynamic(State)?$' ;;
  *) echo "SCENARIO=$SCENARIO: want edits or state" >&2; exit 2 ;;
esac
scripts/get-python.sh
unset PYTHONDONTWRITEBYTECODE
export PATH="$PWD/.tools/venv/bin:$PATH"
set +e # the status of the tests counts, not that of grep
go test -count=1 -parallel 1 -timeout 300m -v -run "$tests" ./integration 2>&1 | tee .tools/dynamic.log | grep --line-buffered '^dynamic '
status=${PIPESTATUS[0]}
set -e
if [ "$status" != 0 ]; then
  grep -E '^ *--- FAIL|^ *dynamic_test.go' .tools/dynamic.log | tail -5 >&2
  echo "make dynamic: FAILED, see .tools/dynamic.log" >&2
fi
exit "$status"
