#!/usr/bin/env bash
# Puts those parts of Storm 2.8.3 under .tools/storm-unpublished that are in its release but not published as jars: its UI (ui/classes, and
# ui/lib for what they need), the resolver behind `storm jar --artifacts` (submit-tools/) and its commands (bin/storm.py). They come from
# the release's tag, taken from $STORM_SOURCE (the path or address of a clone of Storm's Git repository, or a folder with the sources of
# that release), and are compiled here. Two runs at once do no harm. Needs a JDK 17 or newer, Maven and Git; says which is missing and
# exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
tools=$(cd .tools && pwd -P)
out=$tools/storm-unpublished
poms=$PWD/scripts
stamp=$(cat "$poms/storm-ui.pom.xml" "$poms/storm-submit-tools.pom.xml" "$0" | sha256sum | cut -c1-16)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
for tool in java javac jar mvn git; do
  command -v $tool >/dev/null || { echo "get-storm-unpublished: $tool is missing (Debian: apt-get install openjdk-17-jdk-headless maven git)" >&2; exit 3; }
done
source=${STORM_SOURCE:-}
[ -n "$source" ] || { echo "get-storm-unpublished: set STORM_SOURCE to a clone of Storm's Git repository" >&2; exit 3; }
new=$(mktemp -d "$tools/storm-unpublished.XXXXXX")
trap 'rm -rf "$new"' EXIT
echo "get-storm-unpublished: fetching the sources of Storm 2.8.3 from $source" >&2
if [ -d "$source/storm-webapp" ]; then
  ln -s "$(cd "$source" && pwd -P)" "$new/source"
elif [ -d "$source" ]; then
  mkdir "$new/source"
  git -C "$source" archive v2.8.3 storm-webapp storm-submit-tools bin/storm.py | tar -x -C "$new/source"
else
  git -c advice.detachedHead=false clone -q --depth 1 --branch v2.8.3 "$source" "$new/source" ||
    { echo "get-storm-unpublished: $source (STORM_SOURCE) cannot be read" >&2; exit 3; }
fi
build() { # name of a pom, module, folder of what it needs, folder of its classes
  echo "get-storm-unpublished: fetching what $2 needs with Maven, compiling" >&2
  mvn -q -B -f "$poms/$1.pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$3" >&2
  find -L "$new/source/$2/src/main/java" -name '*.java' > "$new/files"
  javac -nowarn -Xlint:none -d "$4" -cp "$3/*" @"$new/files" 2> "$new/javac.log" || { cat "$new/javac.log" >&2; exit 1; }
}
build storm-ui storm-webapp "$new/ui/lib" "$new/ui/classes"
cp -R "$new/source/storm-webapp/src/main/java/org/apache/storm/daemon/ui/WEB-INF" "$new/ui/classes/" # the pages; the server does not start without them
build storm-submit-tools storm-submit-tools "$new/submit-tools" "$new/classes"
jar --create --file "$new/submit-tools/storm-submit-tools-2.8.3.jar" -C "$new/classes" .
mkdir "$new/bin"
cp "$new/source/bin/storm.py" "$new/bin/"
rm -rf "$new/source" "$new/files" "$new/javac.log" "$new/classes"
echo "$stamp" > "$new/stamp"
chmod 755 "$new"
old=$(mktemp -d "$tools/storm-unpublished.XXXXXX")
mv -T "$out" "$old/was" 2>/dev/null || true
# another run may have been faster: what it put there is as good
mv -T "$new" "$out" 2>/dev/null || true
rm -rf "$old"
[ "$(cat "$out/stamp")" = "$stamp" ]
