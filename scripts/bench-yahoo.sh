#!/usr/bin/env bash
# make bench-yahoo: the Yahoo streaming benchmark with a real Kafka and a real Redis, on Storm 2.8.3 and on gearstorm, one line a rate
# and one with the highest rate that was sustained (every window's count exact, 99 of 100 counted within a second of their last event).
# Arguments go to `bench yahoo`, such as -only gearstorm -rate 50000. Needs redis-server (Debian: apt-get install redis-server).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || { echo "bench-yahoo: redis-server is missing (Debian: apt-get install redis-server)" >&2; exit 3; }
scripts/get-storm.sh
scripts/get-kafka.sh
scripts/get-yahoo.sh
mkdir -p bin
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/bench ./scripts/bench
echo "# $(date -u +%FT%TZ) $(git rev-parse --short HEAD 2>/dev/null || true) $(go env GOVERSION) on $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
bin/bench yahoo "$@"
