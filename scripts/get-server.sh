#!/usr/bin/env bash
# get-server.sh NAME TITLE: puts the jars that scripts/NAME.pom.xml names under .tools/NAME, for tests against the real server. Two runs at
# once do no harm: each fetches into a folder of its own and the last rename wins. Needs Maven and, to run the server, a JRE; says
# which is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1 title=$2
mkdir -p .tools
tools=$(cd .tools && pwd -P)
out=$tools/$name
pom=scripts/$name.pom.xml
stamp=$(sha256sum < $pom | cut -c1-16)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
for tool in java mvn; do
  command -v $tool >/dev/null || { echo "get-$name: $tool is missing (Debian: apt-get install openjdk-17-jre-headless maven)" >&2; exit 3; }
done
new=$(mktemp -d "$tools/$name.XXXXXX")
trap 'rm -rf "$new"' EXIT
echo "get-$name: fetching $title with Maven" >&2
mvn -q -B -f $pom org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$new/lib" >&2
echo "$stamp" > "$new/stamp"
chmod 755 "$new"
old=$(mktemp -d "$tools/$name.XXXXXX")
mv -T "$out" "$old/was" 2>/dev/null || true
# another run may have been faster: what it put there is as good
mv -T "$new" "$out" 2>/dev/null || true
rm -rf "$old"
[ "$(cat "$out/stamp")" = "$stamp" ]
