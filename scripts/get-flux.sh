#!/usr/bin/env bash
# Puts the jar of Storm's own Flux 2.8.3, with all it needs beside Storm's client, under .tools/flux.
# Needs a JDK 17 or newer and Maven; says which is missing and exits with 3. May run twice at once.
set -euo pipefail
cd "$(dirname "$0")/.."
version=2.8.3
out=$PWD/.tools/flux
[ -f "$out/flux-core-$version.jar" ] && exit 0
for tool in java mvn; do
  command -v $tool >/dev/null || { echo "get-flux: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven)" >&2; exit 3; }
done
mkdir -p .tools
tmp=$(mktemp -d "$PWD/.tools/flux.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# The parent of Flux's POM is not in Maven Central. This one stands in for it, in a repository of its own and with a local
# repository of its own, so that it does not stay on this machine.
parent=$tmp/parent/org/apache/storm/flux/$version
mkdir -p "$parent"
cat > "$parent/flux-$version.pom" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.apache.storm</groupId><artifactId>storm</artifactId><version>$version</version></parent>
  <artifactId>flux</artifactId><packaging>pom</packaging>
</project>
POM
cat > "$tmp/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>dev.gearstorm</groupId><artifactId>flux</artifactId><version>1</version><packaging>pom</packaging>
  <repositories><repository><id>parent</id><url>file://$tmp/parent</url></repository></repositories>
  <dependencies><dependency><groupId>org.apache.storm</groupId><artifactId>flux-core</artifactId><version>$version</version>
    <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency></dependencies>
</project>
POM
echo "get-flux: fetching Flux $version with Maven" >&2
mvn -q -B -f "$tmp/pom.xml" -Dmaven.repo.local="$tmp/local" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$tmp/jars" >&2
mkdir -p "$out"
mv "$tmp/jars/flux-core-$version.jar" "$out/"
