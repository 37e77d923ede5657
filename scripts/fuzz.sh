#!/usr/bin/env bash
# Every fuzz target of the tree for the given time each. New inputs that fail are kept by go test under testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
grep -rlE '^func Fuzz' --include=*_test.go . | grep -v /stormrpc/ | sort | while read -r f; do
  grep -oE '^func Fuzz[A-Za-z0-9_]*' "$f" | awk '{print $2}' | while read -r target; do
    echo "fuzz $(dirname "$f") $target $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$(dirname "$f")"
  done
done
