#!/usr/bin/env bash
# make run: builds, starts a cluster here (gearstorm dev) and counts the words of real text on it.
# TEXT="files or folders" names the text, KILL=spout|split|count|worker kills that process half way.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in go python3; do
  command -v $tool >/dev/null || { echo "make run: $tool is missing; everything else is optional (node: the last bolt then is Go)" >&2; exit 2; }
done
start=$(date +%s.%N)
mkdir -p bin
echo "building (the first time takes a minute or two)" >&2
go build -o bin/gearstorm ./cmd/gearstorm
go build -o bin/wordcount ./examples/wordcount
BUILD_S=$(echo "$(date +%s.%N) $start" | awk '{printf "%.1f", $1-$2}'); export BUILD_S

bin/gearstorm dev --quiet &
dev=$!
trap 'kill $dev 2>/dev/null; wait $dev 2>/dev/null || true' EXIT
for _ in $(seq 200); do
  grep -qs "\"pid\": *$dev\b" .gearstorm/ports.json && break # a killed dev leaves its file
  kill -0 $dev 2>/dev/null || { echo "make run: gearstorm dev did not start" >&2; exit 2; }
  sleep 0.05
done
bin/wordcount demo
