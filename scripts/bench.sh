#!/usr/bin/env bash
# make bench: builds and measures. Arguments go to scripts/bench, such as -only in-process or -rounds 5.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/bench ./scripts/bench
storm=.tools/multilang/storm.py # scripts/get-multilang-clients.sh puts it there
if [ -f "$storm" ]; then
  set -- -storm.py "$PWD/$storm" "$@"
else
  echo "# storm-py-shell is left out: run scripts/get-multilang-clients.sh first"
fi
echo "# $(date -u +%FT%TZ) $(git rev-parse --short HEAD 2>/dev/null || true) $(go env GOVERSION) on $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
bin/bench -gearstorm bin/gearstorm "$@"
echo "# load $(cut -d' ' -f1-3 /proc/loadavg)"
