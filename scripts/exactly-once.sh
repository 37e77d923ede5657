#!/usr/bin/env bash
# make exactly-once: a topology from a real Kafka to Kafka, through Python and Java and a count by key in Go, while KILLS (default 100) of its
# processes get SIGKILL: workers, supervisors, Nimbus, children in Python, Java processes. Prints the table of all checkpoints (records read,
# records counted) and one line with what was lost and duplicated against a sequential model. SEED=<n> repeats the choices of an earlier run. Then the
# words of a fifth of which come late and out of order, counted by windows of event time, against the sequential result.
# How it goes, and the logs if it fails, are in .tools/exactly-once.log.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/get-storm-client.sh
scripts/get-kafka.sh
mkdir -p bin .tools
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/exactonce ./scripts/exactonce
bin/exactonce -gearstorm bin/gearstorm -kills "${KILLS:-100}" -seed "${SEED:-0}" "$@" 2> >(tee .tools/exactly-once.log | grep --line-buffered -E '^exactly-once' >&2)
go run ./examples/streamcount | sed 's/^/out-of-order /'
