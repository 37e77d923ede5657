#!/usr/bin/env bash
# The packages that own goroutines, under the race detector; gearcore/sim has one. "quick", as make test runs it, leaves out those that spend their
# time in servers and processes of Java, in whole clusters of workers, or in worlds of hundreds of seeds: make race has them.
set -euo pipefail
cd "$(dirname "$0")/.."
broken=$(mktemp)
trap 'rm -f "$broken"' EXIT
race() { CGO_ENABLED=1 go test -race -vet=off -count=1 -timeout 20m -json "$@"; } # make check and make test vet
out=(-e /internal/lint -e '/gearcore/sim$' # and what has no goroutines
  -E -e '/gearcore/(clock|codec|dag|stream/streamtest)$' -e '/compat(/classfile|/flux|/javaser)?$' -e '/internal/(dynamic|freeport|gist|redistest|seeds)$'
  -e '/(multilang/clients|nimbus/schedule|supervisor/isolate/shim)$')
[ "${1:-}" != quick ] || out+=(-e '/connect/kafka$' -e '/kafkatest$' -e '/cluster/zk$' -e '/zktest$' -e '/clustersim$' -e '/jvmhost$' -e '/gearstorm(/worker)?$')
mapfile -t packages < <(go list ./gearcore/... ./ackers/... ./multilang/... ./internal/... ./nimbus/... ./supervisor/... ./worker/... ./thrift/wire/... ./compat/... . |
  grep -v "${out[@]}")
race "${packages[@]}" |
  go run ./scripts/testsum -broken "$broken"
if [ -s "$broken" ]; then
  mapfile -t again <"$broken"
  race "${again[@]}" | go run ./scripts/testsum
fi
