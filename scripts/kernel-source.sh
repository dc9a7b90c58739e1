#!/bin/bash
# Unpack a part of the kernel's sources and print its directory.
# Usage: kernel-source.sh [scripts|selftests]
#
# scripts    scripts/ and the files that these scripts read, for make check (default)
# selftests  the tests of mapped memory and the headers that these tests include

. "$(dirname "$0")/common.sh"
part=${1:-scripts}
case $part in
scripts)
	group=check
	paths=(scripts .clang-format Documentation/dev-tools)
	;;
selftests)
	group=conformance
	paths=(tools/include tools/arch/x86/include tools/testing/selftests/{mm,mincore,cachestat}
		tools/testing/selftests/kselftest{,_harness}.h)
	;;
*)	usage ;;
esac
[ $# -le 1 ] || usage
"$SCRIPTS/deps.sh" "$group"
dest=$CACHE/source-$part-$(source_version)

unpack() {
	[ ! -e "$dest/done" ] || return 0
	say "unpacking ${paths[0]}/ and more of linux-source-$SERIES"
	rm -rf "$dest"
	mkdir -p "$dest"
	run_quietly "$dest/log" 'du -sh "$dest" | cut -f 1' \
		tar -C "$dest" --strip-components=1 -xf "/usr/src/linux-source-$SERIES.tar.xz" \
		"${paths[@]/#/linux-source-$SERIES/}" && : >"$dest/done"
}

with_lock "source-$part" unpack || die "could not unpack /usr/src/linux-source-$SERIES.tar.xz"
echo "$dest"
