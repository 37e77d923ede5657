#!/usr/bin/env bash
# Generates thrift/stormrpc from thrift/storm.thrift with the Thrift compiler whose release matches the Go library.
#
#   scripts/gen-thrift.sh gen       regenerate thrift/stormrpc in place
#   scripts/gen-thrift.sh verify    regenerate in a temporary folder and compare; exit 1 when they differ
#
# The compiler is built once, from the sources inside the Go module zip of github.com/apache/thrift (so the Go checksum
# database vouches for them), into .tools/thrift-<version>. That needs cmake, a C++ compiler, bison and flex; as root on
# a Debian-like system bison, flex and cmake are installed when missing, elsewhere the script names what to install.
# Building and testing this repository needs none of it: the generated code is committed.
set -euo pipefail

version=0.25.0
module=github.com/apache/thrift
prefix=github.com/gearstorm/gearstorm/thrift/
flags="go:package_prefix=$prefix,skip_remote,struct_key_entries"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.tools/thrift-$version
thrift=$tools/bin/thrift

die() {
    echo "gen-thrift: $*" >&2
    exit 2
}

require_tools() {
    local missing=() tool
    for tool in cmake bison flex; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "gen-thrift: installing ${missing[*]}" >&2
        apt-get install -y -qq "${missing[@]}" >/dev/null || { apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null; } # lists may be old
        missing=()
    fi
    command -v c++ >/dev/null || missing+=("a C++ compiler (g++)")
    [ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]}; install them and run this again"
}

# source_dir prints where the module's sources lie; go.mod must name the same release as this script.
source_dir() {
    local wanted
    wanted=$(cd "$root" && go list -m -f '{{.Version}}' "$module")
    [ "$wanted" = "v$version" ] || die "go.mod has $module $wanted, this script builds v$version: change both together"
    go mod download -json "$module@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p'
}

build_compiler() {
    require_tools
    local source build name
    local -a only_go=()
    source=$(source_dir)
    [ -n "$source" ] && [ -d "$source/compiler/cpp" ] || die "no compiler sources in $module v$version"
    while read -r name; do
        [ "$name" = go ] || only_go+=("-DTHRIFT_COMPILER_${name^^}=OFF")
    done < <(sed -n 's/^THRIFT_ADD_COMPILER(\([a-z_]*\) .*/\1/p' "$source/compiler/cpp/CMakeLists.txt")
    build=$(mktemp -d)
    trap 'rm -rf "$build"' EXIT
    echo "gen-thrift: building the Thrift $version compiler (some minutes, once)" >&2
    {
        cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_COMPILER=ON -DBUILD_LIBRARIES=OFF \
            -DBUILD_TESTING=OFF -DBUILD_TUTORIALS=OFF "${only_go[@]}"
        cmake --build "$build" --target thrift-compiler --parallel 2
    } >"$build/log" 2>&1 || { tail -30 "$build/log" >&2; die "building the compiler: see above"; }
    mkdir -p "$tools/bin"
    install -m 755 "$build/compiler/cpp/bin/thrift" "$thrift.new"
    mv "$thrift.new" "$thrift"
    rm -rf "$build"
    trap - EXIT
}

# generate OUT writes the package into OUT/stormrpc.
generate() {
    [ -x "$thrift" ] || build_compiler
    [ "$("$thrift" --version)" = "Thrift version $version" ] || die "$thrift is not Thrift $version: remove $tools"
    (cd "$root/thrift" && "$thrift" -strict --gen "$flags" -out "$1" storm.thrift)
    gofmt -w "$1/stormrpc"
}

case "${1:-}" in
gen | verify) ;;
*) die "usage: scripts/gen-thrift.sh gen|verify" ;;
esac

[ -x "$thrift" ] || build_compiler
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
generate "$work"

if [ "$1" = verify ]; then
    diff -r -q "$work/stormrpc" "$root/thrift/stormrpc" || {
        echo "gen-thrift: thrift/stormrpc is not what storm.thrift generates: run scripts/gen-thrift.sh gen" >&2
        exit 1
    }
    echo "gen-thrift: thrift/stormrpc is up to date"
else
    rm -rf "$root/thrift/stormrpc"
    mv "$work/stormrpc" "$root/thrift/stormrpc"
fi
