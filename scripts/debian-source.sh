#!/bin/bash
# Fetch a source package of Debian, and print the directory with its sources.
# Usage: debian-source.sh PACKAGE

. "$(dirname "$0")/common.sh"
[ $# -eq 1 ] || usage
package=$1
dest=$CACHE/$package

# The machine may have no entry for source packages.  So this function makes such entries
# from the machine's other entries, for this download alone.
fetch() {
	local tmp f apt
	[ ! -e "$dest/done" ] || return 0
	say "fetching the source package $package"
	rm -rf "$dest" "$dest".tmp.*
	tmp=$(mktemp -d "$dest.tmp.XXXXXX")
	mkdir -p "$tmp/parts" "$tmp/lists/partial"
	: >"$tmp/sources.list"
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -e "$f" ] || sed -nE 's/^[ \t]*deb(-src)?[ \t]/deb-src /p' "$f"
	done >>"$tmp/sources.list"
	for f in /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$f" ] || sed -E 's/^Types:.*/Types: deb-src/' "$f" >"$tmp/parts/${f##*/}"
	done
	apt=(apt-get -q -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts="$tmp/parts"
		-o Dir::State::lists="$tmp/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
		-o APT::Sandbox::User=root)
	# Some archives may have no sources.  One archive with this package is enough.
	run_quietly "$tmp/log" 'tail -n 1 "$tmp/log" | cut -c -70' "${apt[@]}" update || true
	if ! (cd "$tmp" && run_quietly log 'tail -n 1 log | cut -c -70' "${apt[@]}" source "$package"); then
		rm -rf "$tmp"
		die "could not fetch the source package $package: check the network and that
the apt sources have the component main of Debian 12, with its source packages"
	fi
	rm -rf "$tmp/lists"
	mv "$tmp/$package"-*/ "$tmp/suite" && : >"$tmp/done" && mv "$tmp" "$dest"
}

with_lock "$package" fetch || exit 1
echo "$dest/suite"
