#!/bin/bash
# Make a root directory with Debian trixie in the cache, which has a compiler and the
# packages of trixie-backports. Print its path, or run a command in it.
# Usage: trixie.sh [-d DIR] [COMMAND...]
#
# -d  use DIR/root instead of the root directory in the cache. Install trixie there, unless
#     the file DIR/done exists
#
# COMMAND runs as root in the current directory, which must be below the source tree or
# the cache. The root directory shows both in their usual places.

. "$(dirname "$0")/common.sh"

mirror() {
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian //p' | head -n 1
}

bootstrap() {
	local url
	[ ! -e "$dir/done" ] || return 0
	"$SCRIPTS/deps.sh" trixie
	url=$(mirror)
	[ -n "$url" ] || die "the apt sources of this machine name no mirror of Debian"
	say "making a root directory with Debian trixie (about 2 minutes)"
	rm -rf "$dir"
	mkdir -p "$dir"
	run_quietly "$dir/log" 'tail -n 1 "$dir/log" | cut -c -70' \
		debootstrap --variant=minbase --include=gcc,make,kmod trixie "$root" "$url" || return 1
	echo "deb $url trixie-backports main" >"$root/etc/apt/sources.list.d/backports.list"
	: >"$dir/done"
}

dir=$CACHE/trixie
while getopts d: o; do
	case $o in
	d) dir=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
root=$dir/root

[ "$(id -u)" = 0 ] || die "not root, which debootstrap and chroot need"
with_lock trixie bootstrap || die "could not install Debian trixie; log: $dir/log"
if [ $# -eq 0 ]; then
	echo "$root"
	exit
fi
mkdir -p "$root$TOP" "$root$CACHE"
# The mounts are in a mount namespace of their own, which ends with the command. In a chroot
# whose root is no mount point, the namespace cannot be private. So unmount in any case.
private=private
findmnt -n / >/dev/null || private=unchanged
# shellcheck disable=SC2016 # sh expands its own arguments
exec unshare --mount --propagation "$private" sh -ec '
	root=$1 top=$2 cache=$3
	shift 3
	trap "umount \"$root$cache\" \"$root$top\" \"$root/proc\"" EXIT
	mount -t proc proc "$root/proc"
	mount --bind "$top" "$root$top"
	mount --bind "$cache" "$root$cache"
	cp -L /etc/resolv.conf "$root/etc/"
	chroot "$root" sh -ec "cd \"\$1\"; shift; exec \"\$@\"" sh "$PWD" "$@"' \
	sh "$root" "$TOP" "$CACHE" "$@"
