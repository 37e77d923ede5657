#!/usr/bin/env bash
# Writes integration/testdata/java/<area>.txt, what the topologies of integration/java/src/main/java/it/area find out in the
# LocalCluster of Storm 2.8.3: TestJavaAreas wants the same of a gearstorm cluster. Arguments: areas (default: all).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/get-storm-client.sh
storm=$PWD/.tools/storm
out=$PWD/integration/testdata/java
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out" "$work/results"
cat > "$work/log4j2.xml" <<'XML'
<Configuration status="error"><Appenders><Console name="out" target="SYSTEM_ERR"><PatternLayout pattern="%d %c{1} %p %m%n"/></Console></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>
XML
# The jar comes first: a LocalCluster takes the folder resources of the first one that has it. It keeps its state in the working folder.
cd "$work"
java -Xmx1500m -XX:+UseSerialGC -Djava.io.tmpdir="$work" -Dlog4j2.configurationFile="$work/log4j2.xml" \
  -cp "$storm/build/integration.jar:$storm/lib/*" it.area.Record "$work/results" "$out" "$@" 2> "$work/log" || {
  status=$?; grep -A 12 -m 3 ERROR "$work/log" >&2; exit $status; }
