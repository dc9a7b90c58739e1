#!/bin/bash
# Build the modules into build/<release>/, with W=1.
# Usage: [K=<series>] [KVER=<release>] [KDIR=<kernel tree>] [BREAK=1] build-modules.sh [make argument...]
#
# K selects the series of the stock kernel. Modules for another kernel than 6.12 are built
# in the root directory of trixie.sh, which has the headers and their compiler.
#
# With BREAK=1 the modules go to build/<release>-break/. These modules can break a rule
# of the design on request (fs/disk/break.h). The crash explorer uses these modules.
#
# The kernel's build system writes its output next to the sources. To keep the output
# out of the checkout, this script builds a tree of symlinks, build/<release>/src.

. "$(dirname "$0")/common.sh"

"$SCRIPTS/deps.sh" build
where='' root=''
[ "$K" = "$SERIES" ] || where=$SCRIPTS/trixie.sh root=$("$SCRIPTS/trixie.sh")
if [ -z "${KDIR:-}" ]; then
	if [ -n "$root" ] && [ -z "${KVER:-}" ]; then
		KVER=$(v=$("$SCRIPTS/stock-kernel.sh") && eval "$v" && echo "$STOCK_RELEASE")
	fi
	if [ -z "${KVER:-}" ]; then
		KVER=$(find /usr/src -maxdepth 1 -name "linux-headers-$SERIES.*-amd64" \
			-printf '%f\n' | sed 's/^linux-headers-//' | sort -V | tail -n 1)
		[ -n "$KVER" ] || die "no headers of $SERIES are installed: run scripts/deps.sh build"
	fi
	headers() {
		for KDIR in "$root/lib/modules/$KVER/build" "$root/usr/src/linux-headers-$KVER"; do
			[ ! -e "$KDIR/Makefile" ] || return 0
		done
		return 1
	}
	[ -n "$root" ] || headers || "$SCRIPTS/deps.sh" "linux-headers-$KVER" || true
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

# Make all links anew each time, so that the build notices new and removed files. The
# objects of the last build stay. make compares the time stamps of the files to which
# the links point.
find "$farm" -type l -delete
for d in fs mm include kunit; do
	[ ! -d "$TOP/$d" ] || cp -rs "$TOP/$d" "$farm/"
done
ln -s "$TOP/Kbuild" "$farm/Kbuild"
# Remove old modules. If a source file joins or leaves a module, Kbuild may not link the
# module again. Also, the directory must not keep a module that is no longer built.
rm -f "$out"/*.ko

say "building the modules for $release"
log=$out/build.log
rc=0
# If the kernel tree was configured with another compiler, make asks questions.
# /dev/null keeps make from waiting for the answers.
$where make -C "${KDIR#"$root"}" M="$farm" W=1 -j"$(nproc)" ${BREAK:+MSYNCFS_BREAK=1} "$@" modules </dev/null >"$log" 2>&1 || rc=$?
# The message about skipped BTF is expected: the distribution's vmlinux is missing.
grep -vE '^(make|  (CC|LD|AR|MODPOST|BTF|CHECK|DESCEND|ENTER)\b)|^Skipping BTF' "$log" >&2 || true
[ "$rc" -eq 0 ] || die "the modules do not build for $release; log: ${log#"$TOP"/}"

# Copy only the modules of this build, which modules.order lists.
while read -r ko; do
	cp "${ko%.o}" "$out/" 2>/dev/null || cp "${ko%.o}.ko" "$out/"
done < <(sed "s|^|$farm/|; s|^$farm//|/|" "$farm/modules.order")
say "modules: $(cd "$TOP" && echo "${out#"$TOP"/}"/*.ko)"
