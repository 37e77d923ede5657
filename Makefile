# The commands of the project. `make run` and `make test` install what they need into .tools; everything else is plain Go.
SHELL := /bin/bash
export GOFLAGS ?= -trimpath
export CGO_ENABLED ?= 0
BIN := bin

.PHONY: all build run test check race fuzz isolation-v2 bench bench-vs-storm bench-exact bench-yahoo compat faults changes stores exactly-once dynamic cluster-figures command-figures record-storm record-java gen verify-gen clean

all: build

build: ## the gearstorm binary, in bin/
	@mkdir -p $(BIN)
	go build -o $(BIN)/gearstorm ./cmd/gearstorm

run: ## a cluster on this machine and the word count over real text. TEXT="files or folders", KILL=spout|split|count|worker
	@scripts/run.sh

test: ## lint, unit, race, fuzz corpora, integration with the real Storm client and streamparse; what takes long has commands of its own
	@scripts/test.sh

check: ## what to run before a commit
	@test -z "$$(gofmt -l $$(git ls-files '*.go' | grep -v stormrpc/))" || { gofmt -l $$(git ls-files '*.go' | grep -v stormrpc/); exit 1; }
	go vet ./...
	go vet -tags record ./nimbus
	go vet -tags 'unpublished long' ./integration
	go vet -tags long ./gearcore/checkpoint/... ./worker
	go test -json $$(go list ./... | grep -v /integration) | go run ./scripts/testsum

race: ## the packages with goroutines, under the race detector
	@scripts/race.sh

isolation-v2: ## isolation on control groups of version 2, in an emulated machine (needs qemu-system-x86)
	@scripts/isolation-v2.sh

fuzz: ## every fuzz target for FUZZTIME each (default 30s)
	@scripts/fuzz.sh $(or $(FUZZTIME),30s)

bench: ## one line a scenario: bench <scenario> <tuples/s> allocs/tuple=<x>
	@scripts/bench.sh

bench-vs-storm: ## the same beside the real Storm 2.8.3, in turns: SCENARIO=<regexp> picks rows, QUICK=1 is one short round
	@scripts/bench-vs-storm.sh

bench-exact: ## what exactly once costs: the rate with a checkpoint a second, a checkpoint of 1 GB, recovery of it. ONLY=<regexp>, MB=<n>
	@scripts/bench-exact.sh

bench-yahoo: ## the Yahoo streaming benchmark with Kafka and Redis, on Storm 2.8.3 and on gearstorm: a ladder of rates, the highest one sustained
	@scripts/bench-yahoo.sh

compat: ## one line a client command that was run against us: compat <client> <command> ok, or FAIL and why. STORM_SOURCE=<clone of Storm> adds its UI and resolver
	@scripts/get-storm-client.sh
	@scripts/get-python.sh
	@scripts/get-zookeeper.sh
	@scripts/get-flux.sh
	@scripts/get-storm-redis.sh
	@tags=; scripts/get-storm-unpublished.sh && tags='-tags unpublished' || echo 'compat ui and artifacts left out: they need STORM_SOURCE'; \
	set -o pipefail; CI=true go test $$tags -count=1 -timeout 30m -v -run '^Test(Compat|Storm|Streamparse|Java|DRPC|Flux|Thrift)' ./integration 2>&1 | tee .tools/compat.log | grep '^compat ' || { tail -50 .tools/compat.log; exit 1; }

faults: ## kills, stops, cuts, full disks and more under load, one line a fault: SEED=<n> repeats a run, SHORT=1 is CI's length
	@scripts/faults.sh

changes: ## topologies in Java and the states of Python and Node are changed in many ways while they run: some minutes, too long for make test
	@scripts/get-storm-client.sh
	@scripts/get-python.sh
	@set -o pipefail; CI=true go test -tags long -count=1 -timeout 30m -v -run '^Test(Java(ChangesInPlace|ChangesCountOnce|BoltBecomesGo|StateGoesOn)|ChildStateIsRescaled)$$' ./integration 2>&1 | grep -E '^ *(---|ok|FAIL)|_test.go'

stores: ## checkpoint stores in a real HDFS and a real Ceph, which are killed in commits: one line a result, some minutes. ONLY=hdfs|ceph
	@scripts/stores.sh

exactly-once: ## kills at random between Kafka and Kafka: a table of checkpoints, offset(k) and state(k), and what was lost or duplicated. KILLS=<n> SEED=<n>
	@scripts/exactly-once.sh

record-storm: ## nimbus/testdata/*-2.8.3.txt anew, from a real Nimbus and Java client of that release
	@scripts/record-storm.sh

record-java: ## integration/testdata/java anew, from LocalCluster and LocalDRPC of that release
	@scripts/record-java.sh

dynamic: ## a topology is edited at random while it runs, one line a result: SEED=<n> repeats, EDITS=<n> (1000), SIZE=<MiB of state> (1024), SCENARIO=edits|state
	@scripts/dynamic.sh

gen: ## Go code from thrift/storm.thrift, with the compiler of the Thrift module in go.mod
	@scripts/gen-thrift.sh gen

cluster-figures: ## what a cluster at rest costs, one line a figure: writes to ZooKeeper, resident memory
	@scripts/get-zookeeper.sh
	@set -o pipefail; go test -run '^$$' -bench '^BenchmarkCluster$$' -benchtime 1x -timeout 20m ./integration 2>&1 | grep -E '^figure |FAIL|figures_test'

command-figures: ## how long commands take, one line a figure; with `gearstorm jar` and its first tuple
	@scripts/get-storm-client.sh
	@set -o pipefail; CI=true go test -tags long -count=1 -timeout 20m -v -run '^TestFigures' ./integration 2>&1 | grep -E '^figure |FAIL|figures_test'

verify-gen: ## fails if the committed code is not what gen would write
	@scripts/gen-thrift.sh verify

clean:
	rm -rf $(BIN) .gearstorm
