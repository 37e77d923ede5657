#!/usr/bin/env bash
# make bench-exact: what exactly once costs, one line a figure. ONLY=REGEXP picks figures, MB=N is the size of the large state in megabytes.
# Arguments go to `bench exact`, such as -rounds 3. Exits with 1 if a result was wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/bench ./scripts/bench
echo "# $(date -u +%FT%TZ) $(git rev-parse --short HEAD 2>/dev/null || true) $(go env GOVERSION) on $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
status=0
bin/bench exact -gearstorm bin/gearstorm -only "${ONLY:-}" -mb "${MB:-1024}" "$@" || status=$?
echo "# $(date -u +%FT%TZ) load $(cut -d' ' -f1-3 /proc/loadavg)"
exit $status
