#!/usr/bin/env bash
# Puts the unmodified third-party multilang clients that the tests of ./multilang talk to under .tools: storm.py, storm.js
# and storm.rb of Storm 2.8.3 (multilang/, from its Maven artifacts) and pystorm with msgpack (scripts/get-python.sh).
# Says what is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/get-python.sh
version=2.8.3
[ "$(cat .tools/multilang/stamp 2>/dev/null)" = "$version rb" ] && exit 0
command -v mvn >/dev/null || { echo "get-multilang-clients: mvn is missing (Debian: apt-get install maven)" >&2; exit 3; }
rm -rf .tools/multilang; mkdir -p .tools/multilang
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
for artifact in multilang-python multilang-javascript multilang-ruby; do
  mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="org.apache.storm:$artifact:$version:jar" -DoutputDirectory="$work" -Dmdep.useBaseVersion=true >&2
  python3 - "$work/$artifact-$version.jar" .tools/multilang <<'PY'
import os, sys, zipfile
jar, out = sys.argv[1:]
with zipfile.ZipFile(jar) as z:
    for name in z.namelist():
        if os.path.basename(name) in ("storm.py", "storm.js", "storm.rb"):
            with open(os.path.join(out, os.path.basename(name)), "wb") as f:
                f.write(z.read(name))
PY
done
for f in storm.py storm.js storm.rb; do
  [ -s ".tools/multilang/$f" ] || { echo "get-multilang-clients: $f is not in the Maven artifact" >&2; exit 1; }
done
echo "$version rb" > .tools/multilang/stamp
