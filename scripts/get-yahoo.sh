#!/usr/bin/env bash
# Builds the Yahoo streaming benchmark for Storm (scripts/yahoo/storm) into .tools/yahoo, for make bench-yahoo. Needs a JDK 17 or newer
# and Maven; says which is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
out=$PWD/.tools/yahoo
src=scripts/yahoo/storm
stamp=$(cat $(find $src -name '*.xml' -o -name '*.java' | sort) | sha256sum | cut -c1-16)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
for tool in java javac mvn; do
  command -v $tool >/dev/null || { echo "get-yahoo: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven)" >&2; exit 3; }
done
rm -rf "$out"; mkdir -p "$out"
echo "get-yahoo: building with Maven" >&2
mvn -q -B -f $src/pom.xml -Dout="$out" package >&2
echo "$stamp" > "$out/stamp"
