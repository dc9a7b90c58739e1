#!/bin/bash
# Unpack what checking needs of the kernel's sources: scripts/, and the files
# those read.  Prints the directory.
# Usage: kernel-source.sh

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" check
dest=$CACHE/source-scripts-$(source_version)

unpack() {
	[ ! -e "$dest/done" ] || return 0
	say "unpacking scripts/ of linux-source-$SERIES"
	rm -rf "$dest"
	mkdir -p "$dest"
	tar -C "$dest" --strip-components=1 -xf "/usr/src/linux-source-$SERIES.tar.xz" \
		"linux-source-$SERIES/scripts" "linux-source-$SERIES/.clang-format" \
		"linux-source-$SERIES/Documentation/dev-tools" && : >"$dest/done"
}

with_lock source-scripts unpack || die "could not unpack /usr/src/linux-source-$SERIES.tar.xz"
echo "$dest"
