#!/bin/bash
# Download Debian's newest stock kernel of the series into the cache, without installing
# the kernel. Install the headers of the kernel: those of 6.12 on the host, others in
# the root directory of trixie.sh. Print shell assignments: STOCK_RELEASE,
# STOCK_VMLINUZ, and STOCK_MODROOT, the directory that contains lib/modules/<release>.
# Usage: [K=SERIES] stock-kernel.sh

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage

# $where is the prefix of the commands that use the apt with this kernel.
where='' root='' parts=(linux-image) suite=security
if [ "$K" != "$SERIES" ]; then
	where=$SCRIPTS/trixie.sh root=$("$SCRIPTS/trixie.sh") parts=(linux-binary linux-modules linux-base) suite=backports
fi

newest() {
	$where apt-cache pkgnames "linux-image-$K." 2>/dev/null |
		sed -nE 's/^linux-image-([^-]+-amd64)$/\1/p' | sort -V | tail -n 1
}

update() {
	say "fetching Debian's package lists"
	[ "$(id -u)" = 0 ] || die "not root; as root: apt-get update"
	$where apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null ||
		die "apt-get update failed: check the network and the apt sources"
}

fetch() {
	local rel=$1 dest=$2 tmp deb
	[ ! -e "$dest/done" ] || return 0
	say "fetching the stock kernel linux-image-$rel"
	rm -rf "$dest" "$dest".tmp.*
	tmp=$(mktemp -d "$dest.tmp.XXXXXX")
	(cd "$tmp" && $where apt-get -q -o APT::Sandbox::User=root download \
		"${parts[@]/%/-$rel}" >apt.log 2>&1) || { cat "$tmp/apt.log" >&2; rm -rf "$tmp"; return 1; }
	say "unpacking it into $dest"
	# If the package were installed, its maintainer script would run depmod. So run
	# depmod here.
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root" && rm -f "$deb" || return 1
	done
	[ -e "$tmp/root/lib" ] || ln -s usr/lib "$tmp/root/lib"
	depmod -b "$tmp/root" "$rel" && : >"$tmp/done" && mv "$tmp" "$dest"
}

"$SCRIPTS/deps.sh" build qemu
rel=$(newest)
if [ -z "$rel" ]; then
	update
	rel=$(newest)
	[ -n "$rel" ] || die "apt knows no linux-image-$K.*-amd64: enable Debian's $suite archive"
fi
dest=$CACHE/stock-$rel
if ! with_lock stock fetch "$rel" "$dest"; then
	# The package list may be old and name a version that the archive has replaced.
	update
	rel=$(newest)
	dest=$CACHE/stock-$rel
	with_lock stock fetch "$rel" "$dest" || die "could not download linux-image-$rel"
fi
if [ ! -d "$root/usr/src/linux-headers-$rel" ] && [ ! -d "$root/lib/modules/$rel/build" ]; then
	say "installing linux-headers-$rel"
	[ "$(id -u)" = 0 ] || die "not root; as root: apt-get install linux-headers-$rel"
	DEBIAN_FRONTEND=noninteractive $where apt-get -q -y -o DPkg::Lock::Timeout=300 \
		--no-install-recommends install "linux-headers-$rel" >/dev/null ||
		die "could not install linux-headers-$rel"
fi
printf 'STOCK_RELEASE=%q\nSTOCK_VMLINUZ=%q\nSTOCK_MODROOT=%q\n' \
	"$rel" "$(find "$dest/root" -name 'vmlinuz*')" "$dest/root"
