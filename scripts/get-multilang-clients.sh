#!/bin/sh
# get-multilang-clients.sh: installs the unmodified third-party multilang clients that the tests of ./multilang talk to.
#
#   .tools/multilang/storm.py, storm.js   from org.apache.storm:multilang-python, multilang-javascript (Maven)
#   .tools/venv                           a virtual environment with pystorm and msgpack (pip)
#
# It uses the ordinary mvn and pip of this machine, with whatever mirrors they are configured for.
# Running it again is cheap; a version change re-installs.
set -eu

STORM_VERSION=2.8.3
PYSTORM_VERSION=3.1.4
PYTHON=${PYTHON:-python3}

root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/.tools
clients=$tools/multilang
stamp=$clients/VERSIONS
want="storm $STORM_VERSION pystorm $PYSTORM_VERSION"

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
	echo "multilang clients already installed: $want"
	exit 0
fi

rm -rf "$clients"
mkdir -p "$clients"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

for artifact in multilang-python multilang-javascript; do
	(cd "$work" && mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
		-Dartifact="org.apache.storm:$artifact:$STORM_VERSION:jar" \
		-DoutputDirectory="$work" -Dmdep.useBaseVersion=true)
	"$PYTHON" - "$work/$artifact-$STORM_VERSION.jar" "$clients" <<'PY'
import os, sys, zipfile
jar, out = sys.argv[1:]
with zipfile.ZipFile(jar) as z:
    for name in z.namelist():
        base = os.path.basename(name)
        if base in ("storm.py", "storm.js"):
            with open(os.path.join(out, base), "wb") as f:
                f.write(z.read(name))
PY
done
for f in storm.py storm.js; do
	[ -s "$clients/$f" ] || { echo "get-multilang-clients: $f is not in the Maven artifact" >&2; exit 1; }
done

"$PYTHON" -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet "pystorm==$PYSTORM_VERSION" "msgpack<2"
"$tools/venv/bin/python" -c 'import pystorm'

echo "$want" > "$stamp"
echo "installed: $want"
