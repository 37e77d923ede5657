#!/usr/bin/env bash
# Puts a runnable Storm 2.8.3 with a ZooKeeper under .tools/storm-cluster, for make bench-vs-storm: the jars of the daemons (lib/), of
# workers (lib-worker/) and of ZooKeeper (zookeeper/), and build/bench.jar with the measured topologies from scripts/bench/storm.
# What is published is fetched with Maven. Needs a JDK 17 or newer and Maven; says which is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/.tools/storm-cluster
src=scripts/bench/storm
stamp=$(cat $(find $src scripts/bench/resources -name '*.xml' -o -name '*.java' -o -name 'storm_*.py' | sort) | sha256sum | cut -c1-16)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
for tool in java javac mvn; do
  command -v $tool >/dev/null || { echo "get-storm: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven)" >&2; exit 3; }
done
rm -rf "$out"; mkdir -p "$out"
echo "get-storm: fetching Storm 2.8.3 and ZooKeeper with Maven" >&2
copy=org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies
mvn -q -B -f $src/pom.xml -Dout="$out" package >&2
mvn -q -B -f $src/daemons.pom.xml $copy -DincludeScope=runtime -DoutputDirectory="$out/lib" >&2
mvn -q -B -f $src/zookeeper.pom.xml $copy -DincludeScope=runtime -DoutputDirectory="$out/zookeeper" >&2
# one binding of slf4j only, and no empty stand-in for a class of another jar
rm -f "$out"/lib*/slf4j-reload4j-*.jar "$out"/lib*/reload4j-*.jar "$out"/lib*/listenablefuture-*.jar
echo "$stamp" > "$out/stamp"
