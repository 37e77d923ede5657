#!/usr/bin/env bash
# A bolt becomes a hundred times slower for a while (default 60s) under a spout at full speed, in one process and over two
# workers. One line each: rates before and while it is slow, how far the spout was ahead, how much resident memory grew, what
# share of its time the spout waited, after how many ms the speed was back, and how many tuples were lost (none).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
if ! GEARSTORM_SLOW=${1:-60s} go test -count=1 -timeout 15m -run '^TestBackpressure$' -v ./worker >"$out" 2>&1; then
    cat "$out" >&2
    exit 1
fi
grep '^backpressure ' "$out"
