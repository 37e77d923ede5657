#!/usr/bin/env bash
# make test: installs what the tests need under .tools, then runs everything. With CI=true a skipped part is a failure;
# elsewhere it is listed as a skip, with the reason.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0
part() { echo "== $1"; shift; "$@" || { echo "FAIL $1"; status=1; }; }
get() { "$@" || { echo "SKIP what needs $(basename "$1" .sh)"; missing=1; }; }
tools() {
  local missing=0
  get scripts/get-storm-client.sh
  get scripts/get-python.sh
  get scripts/get-multilang-clients.sh
  get scripts/get-zookeeper.sh
  get scripts/get-kafka.sh
  get scripts/get-flux.sh
  get scripts/get-storm-redis.sh
  return $missing
}

# Downloads wait for the network: what needs a processor goes on beside them, and what takes longest beside everything else. Each is a group
# of its own, which ends with this script.
clusters=$(mktemp) thrift=$(mktemp) integration= verify=
trap 'for g in $verify $integration; do kill -- "-$g" 2>/dev/null; done; rm -f "$clusters" "$thrift"' EXIT
if [ "${CI:-}" = true ] || { command -v cmake && command -v bison && command -v flex; } >/dev/null; then # with CI=true it installs them
  set -m
  scripts/gen-thrift.sh verify >"$thrift" 2>&1 &
  verify=$!
  set +m
fi
tools &
fetching=$!
part "format" bash -c 'out=$(gofmt -l $(git ls-files "*.go" | grep -v stormrpc/)); echo -n "$out"; [ -z "$out" ]'
part "vet" go vet ./...
wait "$fetching" || [ "${CI:-}" != true ] || status=1
# The clusters of integration take longest, and wait more than they compute: they run beside everything else, which goes in turn. Summaries
# count passes, failures and skips.
compat='^TestJava(Areas|Trident|TridentKill|NewerClass)$|^TestFluxSameTopology$' # minutes of Java each, which make compat runs
set -m # a group of its own, which ends with this script
bash -c 'set -o pipefail; go test -vet=off -count=1 -timeout 40m -skip "$1" -json ./integration | go run ./scripts/testsum' - "$compat" >"$clusters" 2>&1 &
integration=$!
set +m
part "tests" bash -c 'set -o pipefail; go test -vet=off -count=1 -timeout 20m -json $(go list ./... | grep -v /integration$) | go run ./scripts/testsum'
part "race" scripts/race.sh quick
wait "$integration" || { echo "FAIL ./integration"; status=1; }
integration=
part "integration" cat "$clusters"
if [ -n "$verify" ]; then
  wait "$verify" || { echo "FAIL generated code is current"; status=1; }
  verify=
  part "generated code is current" cat "$thrift"
else
  echo "SKIP generated code is current: needs cmake, bison and flex"
fi
[ $status = 0 ] && echo "make test: all green" || echo "make test: FAILED"
exit $status
