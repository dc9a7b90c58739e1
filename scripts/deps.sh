#!/bin/bash
# Install the missing Debian packages of a target.
# Usage: [KERNEL=SERIES] [FROM=SUITE] deps.sh build|tools|qemu|e2e|trixie|fio|nbd|stacked|xattr|databases|soak|bench|profile|conformance|kernel|check|deb|linux-headers-RELEASE...

. "$(dirname "$0")/common.sh"

# headers: print the package with the headers of the series. In Debian 13 it is the default.
headers() {
	# shellcheck disable=SC1091 # a file of the system
	case $(. /etc/os-release && echo "$VERSION_ID") in
	12) echo "linux-headers-$SERIES-amd64" ;;
	*) echo linux-headers-amd64 ;;
	esac
}

packages() {
	case $1 in
	build)	echo build-essential kmod "$(headers)" ;;
	tools)	echo build-essential libxxhash-dev libblkid-dev ;;
	qemu)	echo qemu-system-x86 busybox-static cpio kmod util-linux ;;
	e2e)	echo e2fsprogs xfsprogs dmsetup ;;
	fio)	echo fio ;;
	nbd)	echo nbd-server nbd-client ;;
	stacked) echo mdadm ;;
	xattr)	echo attr acl libcap2-bin tar ;;
	databases) echo build-essential libsqlite3-0 liblmdb-dev tcl ;;
	soak)	echo stress-ng ;;
	bench)	echo e2fsprogs xfsprogs btrfs-progs f2fs-tools gnuplot-nox python3 \
			libsqlite3-dev liblmdb-dev ;;
	trixie)	echo debootstrap util-linux ;;
	profile) echo linux-perf ;;
	conformance) echo build-essential libcap-dev "linux-source-$SERIES" stress-ng xz-utils ;;
	kernel)	echo build-essential "linux-source-${KERNEL:-$SERIES}" xz-utils flex bison bc \
			libelf-dev libssl-dev kmod python3 cpio ;;
	check)	echo sparse shellcheck codespell coccinelle clang-format perl \
			python3 python3-docutils xz-utils "linux-source-$SERIES" ;;
	deb)	echo build-essential debhelper dh-dkms lintian libxxhash-dev libblkid-dev ;;
	linux-headers-*) echo "$1" ;;
	*)	die "no such group: $1" ;;
	esac
}

missing() {
	local p
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

[ $# -gt 0 ] || usage
want=$(for g; do packages "$g" || exit 1; done | tr ' ' '\n' | sort -u)
# shellcheck disable=SC2086 # word splitting wanted throughout
lack=$(missing $want)
[ -n "$lack" ] || exit 0

# shellcheck disable=SC2086
say "installing Debian packages:" $lack
[ "$(id -u)" = 0 ] ||
	die "not root; as root: apt-get install $(echo "$lack" | tr '\n' ' ')"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
install() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends \
		${FROM:+-t "$FROM"} install $lack
}
life='tail -n 1 "$log" | cut -c -70'

# The installation fails if the package lists are missing, or if they name a version
# that the archive no longer has. Fetch the lists only after a failure, because this
# takes time.
if ! install >"$log" 2>&1 </dev/null; then
	say "fetching Debian's package lists"
	run_quietly "$log" "$life" apt-get -q -o DPkg::Lock::Timeout=300 update ||
		die "apt-get update failed: check the network and the apt sources"
	run_quietly "$log" "$life" install ||
		die "could not install: $lack
(Debian 12 or 13 with its security archive enabled has all of them)"
fi
# shellcheck disable=SC2086
lack=$(missing $want)
[ -z "$lack" ] || die "still missing after the installation: $lack"
