#!/usr/bin/env bash
# Puts the real Storm 2.8.3 client (lib/), the jars of its workers (lib-worker/) and the integration topologies
# (build/integration.jar) under .tools/storm.
# Needs a JDK 17 or newer and Maven; says which is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/.tools/storm
stamp=$(cat integration/java/*pom.xml $(find integration/java/src -type f | sort) | sha256sum | cut -c1-16)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
for tool in java javac mvn; do
  command -v $tool >/dev/null || { echo "get-storm-client: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven)" >&2; exit 3; }
done
rm -rf "$out"; mkdir -p "$out"
echo "get-storm-client: fetching Storm 2.8.3 client jars with Maven" >&2
mvn -q -B -f integration/java/pom.xml -Dout="$out" package >&2
mvn -q -B -f integration/java/worker.pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$out/lib-worker" >&2
# one binding of slf4j only, and no second copy of it under another name
rm -f "$out"/lib/slf4j-reload4j-*.jar "$out"/lib/reload4j-*.jar
echo "$stamp" > "$out/stamp"
