#!/usr/bin/env bash
# Every fuzz target of the tree for the given time each. New inputs that fail are kept by go test under testdata/fuzz.
set -uo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
log=$(mktemp); trap 'rm -f "$log"' EXIT
status=0
while read -r file target; do
  if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$(dirname "$file")" > "$log" 2>&1; then
    echo "fuzz $(dirname "$file") $target $time ok"
  elif grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
    # The go command sometimes says so when the time ends in the middle of an input; no input failed.
    echo "fuzz $(dirname "$file") $target $time ok (ended in the middle of an input)"
  else
    cat "$log"
    echo "fuzz $(dirname "$file") $target $time FAILED"
    status=1
  fi
done < <(grep -rE '^func Fuzz' --include=*_test.go . | grep -v /stormrpc/ | sed -E 's/^([^:]*):func (Fuzz[A-Za-z0-9_]*).*/\1 \2/' | sort)
exit $status
