#!/usr/bin/env bash
# The tests of isolation on control groups of version 2, in an emulated machine with Debian's kernel: about a minute.
# Needs qemu-system-x86_64; the kernel comes from the package mirror into .tools/kernel.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:--trimpath}" CGO_ENABLED=0 GOARCH=amd64

if ! command -v qemu-system-x86_64 >/dev/null; then
	echo "isolation-v2: needs an emulator: apt-get install --no-install-recommends qemu-system-x86" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

kernel=.tools/kernel/vmlinuz
if [ ! -s "$kernel" ]; then
	package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
	if [ -z "$package" ]; then
		echo "isolation-v2: no linux-image-cloud-amd64 in the package lists; put a kernel with control groups into $kernel" >&2
		exit 1
	fi
	(cd "$work" && apt-get download -qq "$package" 2>/dev/null && dpkg-deb -x ./*.deb image)
	mkdir -p "$(dirname "$kernel")"
	cp "$work"/image/boot/vmlinuz-* "$kernel.$$"
	mv "$kernel.$$" "$kernel"
fi

for p in cgroup shim; do
	go test -tags cgroupv2 -c -o "$work/$p.test" "./supervisor/isolate/$p"
done
go build -o "$work/machine" ./scripts/machine
"$work/machine" -kernel "$kernel" "$work/cgroup.test" "$work/shim.test"
