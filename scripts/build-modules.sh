#!/bin/bash
# Build the modules into build/<release>/, with W=1.
# Usage: [KVER=<release>] [KDIR=<kernel tree>] [BREAK=1] build-modules.sh [make argument...]
#
# BREAK=1: into build/<release>-break/, modules that can be told to break a rule
# of the design (include/break.h), for the crash explorer.
#
# The kernel's build system writes next to the sources, so it gets a farm of
# symlinks in build/<release>/src instead of the checkout.

. "$(dirname "$0")/common.sh"

"$SCRIPTS/deps.sh" build
if [ -z "${KDIR:-}" ]; then
	if [ -z "${KVER:-}" ]; then
		KVER=$(find /usr/src -maxdepth 1 -name "linux-headers-$SERIES.*-amd64" \
			-printf '%f\n' | sed 's/^linux-headers-//' | sort -V | tail -n 1)
		[ -n "$KVER" ] || die "no headers of $SERIES are installed: apt-get install linux-headers-$SERIES-amd64"
	fi
	headers() {
		for KDIR in "/lib/modules/$KVER/build" "/usr/src/linux-headers-$KVER"; do
			[ ! -e "$KDIR/Makefile" ] || return 0
		done
		return 1
	}
	headers || "$SCRIPTS/deps.sh" "linux-headers-$KVER" || true
	headers || die "no headers of $KVER, neither here nor in Debian's archive"
fi
KDIR=$(cd "$KDIR" && pwd)
release=$(cat "$KDIR/include/config/kernel.release" 2>/dev/null) ||
	die "$KDIR is not a configured kernel tree (no include/config/kernel.release)"

out=$BUILD/$release${BREAK:+-break}
farm=$out/src
mkdir -p "$farm"
exec 9>"$out/.lock"
flock 9

# All links anew each time, so that files which came or went are noticed;
# objects stay, and make follows the links to the real time stamps.
find "$farm" -type l -delete
for d in fs mm include kunit; do
	[ ! -d "$TOP/$d" ] || cp -rs "$TOP/$d" "$farm/"
done
ln -s "$TOP/Kbuild" "$farm/Kbuild"
# An object whose list of parts changed is relinked only if Kbuild sees the
# change; a module that is no longer built must not linger.
rm -f "$out"/*.ko

say "building the modules for $release"
log=$out/build.log
rc=0
# A tree configured with another compiler must not stop to ask.
make -C "$KDIR" M="$farm" W=1 -j"$(nproc)" ${BREAK:+MSYNCFS_BREAK=1} "$@" modules </dev/null >"$log" 2>&1 || rc=$?
# Without the distribution's vmlinux there is no BTF to make: no news.
grep -vE '^(make|  (CC|LD|AR|MODPOST|BTF|CHECK|DESCEND|ENTER)\b)|^Skipping BTF' "$log" >&2 || true
[ "$rc" -eq 0 ] || die "the modules do not build for $release; log: ${log#"$TOP"/}"

# Only what this build made: modules.order lists it.
while read -r ko; do
	cp "${ko%.o}" "$out/" 2>/dev/null || cp "${ko%.o}.ko" "$out/"
done < <(sed "s|^|$farm/|; s|^$farm//|/|" "$farm/modules.order")
say "modules: $(cd "$TOP" && echo "${out#"$TOP"/}"/*.ko)"
