#!/usr/bin/env bash
# make bench-vs-storm: gearstorm and the real Storm 2.8.3 in turns, one line a row against its goal (scripts/bench/goals.txt).
# SCENARIO=REGEXP picks rows, QUICK=1 makes one short round of each, RAW=FILE is where the raw results go. Arguments go to scripts/bench,
# such as -rounds 5. Exits with 1 if a run went wrong or took more processor time than its goal.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/get-storm.sh
scripts/get-multilang-clients.sh
mkdir -p bin .tools/bench
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/bench ./scripts/bench
raw=${RAW:-.tools/bench/vs-storm-$(date -u +%Y%m%dT%H%M%SZ).jsonl}
echo "# $(date -u +%FT%TZ) $(git rev-parse --short HEAD 2>/dev/null || true) $(go env GOVERSION), Java $(java -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p'), on $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "# raw results in $raw"
status=0
bin/bench -gearstorm bin/gearstorm -storm .tools/storm-cluster -raw "$raw" -only "${SCENARIO:-}" ${QUICK:+-quick} "$@" || status=$?
echo "# $(date -u +%FT%TZ) load $(cut -d' ' -f1-3 /proc/loadavg)"
exit $status
