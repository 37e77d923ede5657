#!/usr/bin/env bash
# Puts the stock UI of Storm 2.8.3 under .tools/storm-ui, for tests that run it against a gearstorm Nimbus: its classes (classes/) and
# the jars that they need (lib/). The UI is not published as a jar, so it is compiled from the release's tag, taken from $STORM_SOURCE
# (a Git repository, or a folder with the sources of that release) or else from the project's own repository. Two runs at once do no
# harm. Needs a JDK 17 or newer, Maven and Git; says which is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
tools=$(cd .tools && pwd -P)
out=$tools/storm-ui
pom=$PWD/scripts/storm-ui.pom.xml
stamp=$(cat "$pom" "$0" | sha256sum | cut -c1-16)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
for tool in java javac mvn git; do
  command -v $tool >/dev/null || { echo "get-storm-ui: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven git)" >&2; exit 3; }
done
source=${STORM_SOURCE:-https://github.com/apache/storm}
new=$(mktemp -d "$tools/storm-ui.XXXXXX")
trap 'rm -rf "$new"' EXIT
echo "get-storm-ui: fetching the sources of Storm 2.8.3 from $source" >&2
if [ -d "$source/storm-webapp" ]; then
  ln -s "$(cd "$source" && pwd -P)" "$new/source"
elif [ -d "$source" ]; then
  mkdir "$new/source"
  git -C "$source" archive v2.8.3 storm-webapp | tar -x -C "$new/source"
else
  git -c advice.detachedHead=false clone -q --depth 1 --branch v2.8.3 "$source" "$new/source" ||
    { echo "get-storm-ui: $source cannot be read; STORM_SOURCE may name a clone of it" >&2; exit 3; }
fi
java=$new/source/storm-webapp/src/main/java
echo "get-storm-ui: fetching what it needs with Maven, compiling" >&2
mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$new/lib" >&2
find -L "$java" -name '*.java' > "$new/files"
javac -nowarn -Xlint:none -d "$new/classes" -cp "$new/lib/*" @"$new/files" 2> "$new/javac.log" || { cat "$new/javac.log" >&2; exit 1; }
cp -R "$java/org/apache/storm/daemon/ui/WEB-INF" "$new/classes/" # the pages; the server does not start without them
rm -rf "$new/source" "$new/files" "$new/javac.log"
echo "$stamp" > "$new/stamp"
chmod 755 "$new"
old=$(mktemp -d "$tools/storm-ui.XXXXXX")
mv -T "$out" "$old/was" 2>/dev/null || true
# another run may have been faster: what it put there is as good
mv -T "$new" "$out" 2>/dev/null || true
rm -rf "$old"
[ "$(cat "$out/stamp")" = "$stamp" ]
