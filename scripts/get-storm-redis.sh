#!/usr/bin/env bash
# Puts Storm's storm-redis 2.8.3, with all it needs beside Storm's client, under .tools/storm-redis.
# Needs a JDK 17 or newer and Maven; says which is missing and exits with 3. May run twice at once.
set -euo pipefail
cd "$(dirname "$0")/.."
version=2.8.3
out=$PWD/.tools/storm-redis
[ -f "$out/storm-redis-$version.jar" ] && exit 0
for tool in java mvn; do
  command -v $tool >/dev/null || { echo "get-storm-redis: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven)" >&2; exit 3; }
done
mkdir -p .tools
tmp=$(mktemp -d "$PWD/.tools/storm-redis.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cat > "$tmp/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>dev.gearstorm</groupId><artifactId>storm-redis</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency><groupId>org.apache.storm</groupId><artifactId>storm-redis</artifactId><version>$version</version>
    <exclusions><exclusion><groupId>org.slf4j</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency></dependencies>
</project>
POM
echo "get-storm-redis: fetching storm-redis $version with Maven" >&2
mvn -q -B -f "$tmp/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$tmp/jars" >&2
mv -T "$tmp/jars" "$out" 2>/dev/null || [ -f "$out/storm-redis-$version.jar" ] # else somebody was faster
