#!/usr/bin/env bash
# The packages that own goroutines, under the race detector.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -race -count=1 -timeout 20m -json ./gearcore/... ./ackers/... ./multilang/... ./internal/... ./nimbus/... ./supervisor/... ./worker/... ./thrift/wire/... ./compat/... . |
  go run ./scripts/testsum
