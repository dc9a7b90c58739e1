#!/bin/bash
# Download Debian's newest stock kernel of the series into the cache, without installing
# the kernel. Install the headers of the kernel on the host. Print shell assignments:
# STOCK_RELEASE, STOCK_VMLINUZ, and STOCK_MODROOT, the directory that contains
# lib/modules/<release>.
# Usage: stock-kernel.sh

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage

newest() {
	apt-cache depends "linux-image-$SERIES-amd64" 2>/dev/null |
		sed -n 's/^ *Depends: linux-image-//p' | head -n 1
}

update() {
	say "fetching Debian's package lists"
	[ "$(id -u)" = 0 ] || die "not root; as root: apt-get update"
	apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null ||
		die "apt-get update failed: check the network and the apt sources"
}

fetch() {
	local rel=$1 dest=$2 tmp
	[ ! -e "$dest/done" ] || return 0
	say "fetching the stock kernel linux-image-$rel"
	rm -rf "$dest" "$dest".tmp.*
	tmp=$(mktemp -d "$dest.tmp.XXXXXX")
	(cd "$tmp" && apt-get -q -o APT::Sandbox::User=root download "linux-image-$rel" \
		>apt.log 2>&1) || { cat "$tmp/apt.log" >&2; rm -rf "$tmp"; return 1; }
	say "unpacking it into $dest"
	# If the package were installed, its maintainer script would run depmod. So run
	# depmod here.
	dpkg-deb -x "$tmp"/*.deb "$tmp/root" && rm -f "$tmp"/*.deb &&
		depmod -b "$tmp/root" "$rel" && : >"$tmp/done" && mv "$tmp" "$dest"
}

"$SCRIPTS/deps.sh" build qemu
rel=$(newest)
if [ -z "$rel" ]; then
	update
	rel=$(newest)
	[ -n "$rel" ] || die "apt knows no linux-image-$SERIES-amd64: enable Debian's security archive"
fi
dest=$CACHE/stock-$rel
if ! with_lock stock fetch "$rel" "$dest"; then
	# The package list may be old and name a version that the archive has replaced.
	update
	rel=$(newest)
	dest=$CACHE/stock-$rel
	with_lock stock fetch "$rel" "$dest" || die "could not download linux-image-$rel"
fi
if [ ! -d "/usr/src/linux-headers-$rel" ] && [ ! -d "/lib/modules/$rel/build" ]; then
	say "installing linux-headers-$rel"
	[ "$(id -u)" = 0 ] || die "not root; as root: apt-get install linux-headers-$rel"
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		--no-install-recommends install "linux-headers-$rel" >/dev/null ||
		die "could not install linux-headers-$rel"
fi
printf 'STOCK_RELEASE=%q\nSTOCK_VMLINUZ=%q\nSTOCK_MODROOT=%q\n' \
	"$rel" "$dest/root/boot/vmlinuz-$rel" "$dest/root"
