#!/usr/bin/env bash
# make bench: builds and measures. Arguments go to scripts/bench, such as -only in-process or -rounds 5.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/bench ./scripts/bench
echo "# $(date -u +%FT%TZ) $(git rev-parse --short HEAD 2>/dev/null || true) $(go env GOVERSION) on $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
bin/bench -gearstorm bin/gearstorm "$@"
echo "# load $(cut -d' ' -f1-3 /proc/loadavg)"
