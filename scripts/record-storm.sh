#!/usr/bin/env bash
# Writes nimbus/testdata/storm-2.8.3.txt, what a real Nimbus of Storm 2.8.3 answers to the calls that TestAnswersAreStorms compares, and
# client-2.8.3.txt beside it, what the commands of that release's Java client and that Nimbus say to each other, for TestClientExchanges; drpc/testdata/client-2.8.3.txt is the same
# with a real DRPC server.
# Starts ZooKeeper, Nimbus and a supervisor of what scripts/get-storm.sh fetched, in a temporary folder and on ports of loopback
# (PORT and the six after it, default 27181), submits a topology of shell components, asks, and ends what it started.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/get-storm.sh
scripts/get-storm-client.sh
scripts/get-storm-unpublished.sh # the DRPC server
command -v python3 >/dev/null || { echo "record-storm: python3 is missing, the topology's components need it" >&2; exit 3; }
jars=$PWD/.tools/storm-cluster
home=$(mktemp -d)
port=${PORT:-27181}
pids=()
cleanup() {
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  sleep 3
  for pid in ${pids[@]+"${pids[@]}"}; do kill -9 "$pid" 2>/dev/null || true; done
  # Workers are no children of this shell; they are known by the folder they run in.
  for p in /proc/[0-9]*; do
    [ "$(readlink "$p/cwd" 2>/dev/null | cut -c1-${#home})" = "$home" ] && kill -9 "${p#/proc/}" 2>/dev/null || true
  done
  rm -rf "$home"
}
trap cleanup EXIT
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_for() { # port, name
  for _ in $(seq 600); do listens "$1" && return; sleep 0.2; done
  echo "record-storm: $2 does not listen on $1" >&2; tail -n 20 "$home/logs/$2.out" >&2; exit 1
}
mkdir -p "$home"/{conf,log4j2,logs,local,zookeeper,extlib,extlib-daemon,external,bin}
ln -s "$jars/lib" "$home/lib"
ln -s "$jars/lib-worker" "$home/lib-worker"
echo 2.8.3 > "$home/RELEASE"
cat > "$home/conf/zoo.cfg" <<CFG
tickTime=2000
dataDir=$home/zookeeper
clientPort=$port
clientPortAddress=127.0.0.1
admin.enableServer=false
CFG
cat > "$home/conf/storm.yaml" <<YAML
storm.zookeeper.servers: ["127.0.0.1"]
storm.zookeeper.port: $port
nimbus.seeds: ["127.0.0.1"]
nimbus.thrift.port: $((port + 1))
supervisor.thrift.port: $((port + 2))
supervisor.slots.ports: [$((port + 3)), $((port + 4))]
storm.local.hostname: "127.0.0.1"
drpc.port: $((port + 5))
drpc.invocations.port: $((port + 6))
drpc.http.port: -1
storm.local.dir: "$home/local"
storm.log.dir: "$home/logs"
executor.metrics.frequency.secs: 5
worker.childopts: "-Xmx256m"
YAML
for f in cluster worker; do
  cat > "$home/log4j2/$f.xml" <<'XML'
<Configuration status="error"><Appenders><Console name="out"><PatternLayout pattern="%d %c{1} %p %m%n"/></Console></Appenders>
<Loggers><Root level="info"><AppenderRef ref="out"/></Root></Loggers></Configuration>
XML
done
daemon() { # name, port, arguments of java
  local name=$1 at=$2; shift 2
  (cd "$home" && exec java -XX:+UseSerialGC "$@") > "$home/logs/$name.out" 2>&1 &
  pids+=($!)
  wait_for "$at" "$name"
}
flags=(-Dstorm.home="$home" -Dstorm.log.dir="$home/logs" -Dstorm.conf.file= -Dlog4j.configurationFile="$home/log4j2/cluster.xml")
storm=("${flags[@]}" -cp "$home/lib/*:$home/conf")
ui=$PWD/.tools/storm-unpublished/ui
daemon drpc $((port + 5)) -Xmx192m "${flags[@]}" -cp "$ui/classes:$ui/lib/*:$home/conf" org.apache.storm.daemon.drpc.DRPCServer
STORM_DRPC=127.0.0.1:$((port + 5)) STORM_INVOCATIONS=127.0.0.1:$((port + 6)) STORM_CLIENT=$PWD/.tools/storm \
  go test -tags record -count=1 -timeout 5m -run '^TestRecordClient$' ./drpc || { status=$?; tail -n 30 -v "$home/logs/drpc.out" >&2; exit $status; }
daemon zookeeper "$port" -Xmx128m -cp "$jars/zookeeper/*" org.apache.zookeeper.server.ZooKeeperServerMain "$home/conf/zoo.cfg"
daemon nimbus $((port + 1)) -Xmx384m "${storm[@]}" org.apache.storm.daemon.nimbus.Nimbus
daemon supervisor $((port + 2)) -Xmx192m -Djava.deserialization.disabled=false "${storm[@]}" org.apache.storm.daemon.supervisor.Supervisor
STORM_NIMBUS=127.0.0.1:$((port + 1)) STORM_CLIENT=$PWD/.tools/storm go test -tags record -count=1 -timeout 10m -run '^TestRecordStorm$' ./nimbus || {
  status=$?; tail -n 30 -v "$home/logs/nimbus.out" >&2; exit $status; }
wc -c {nimbus,drpc}/testdata/*-2.8.3.txt
