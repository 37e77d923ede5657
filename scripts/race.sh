#!/usr/bin/env bash
# The packages that own goroutines, under the race detector; gearcore/sim has one.
set -euo pipefail
cd "$(dirname "$0")/.."
broken=$(mktemp)
trap 'rm -f "$broken"' EXIT
race() { CGO_ENABLED=1 go test -race -count=1 -timeout 20m -json "$@"; }
mapfile -t packages < <(go list ./gearcore/... ./ackers/... ./multilang/... ./internal/... ./nimbus/... ./supervisor/... ./worker/... ./thrift/wire/... ./compat/... . |
  grep -v -e /internal/lint -e /gearcore/sim$)
race "${packages[@]}" |
  go run ./scripts/testsum -broken "$broken"
if [ -s "$broken" ]; then
  mapfile -t again <"$broken"
  race "${again[@]}" | go run ./scripts/testsum
fi
