#!/usr/bin/env bash
# Puts streamparse 5.0.1 and pystorm 3.1.4 (with msgpack) into the virtual environment .tools/venv. Needs Python 3 with venv; says what
# is missing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
want='streamparse==5.0.1 pystorm==3.1.4 msgpack<2 setuptools<82'
[ "$(cat .tools/venv/stamp 2>/dev/null)" = "$want" ] && exit 0
command -v python3 >/dev/null || { echo "get-python: python3 is missing (Debian: apt-get install python3 python3-venv)" >&2; exit 3; }
python3 -c 'import venv, ensurepip' 2>/dev/null || { echo "get-python: Python's venv is missing (Debian: apt-get install python3-venv)" >&2; exit 3; }
rm -rf .tools/venv; mkdir -p .tools
echo "get-python: installing streamparse and pystorm into .tools/venv" >&2
python3 -m venv .tools/venv
.tools/venv/bin/pip install -q $want >&2
echo "$want" > .tools/venv/stamp
