#!/bin/bash
# make deb: build the Debian packages into build/deb, and check them with lintian.
# Usage: [RUN=NAME] deb.sh

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" deb
out=$BUILD/deb${RUN:+-$RUN}
tree=$out/msyncfs
rm -rf "$out"
mkdir -p "$tree"
# debhelper writes into its source tree, so give it a copy.
find "$TOP" -mindepth 1 -maxdepth 1 ! -name build ! -name '.git*' ! -name .ci -exec cp -r {} "$tree/" \;
say "building the Debian packages"
(cd "$tree" && run_quietly "$out/build.log" 'tail -n 1 "$log"' \
	env -u MAKEFLAGS dpkg-buildpackage -us -uc -b) || die "the packages do not build"
rm -rf "$tree"
say "lintian"
# Whoever builds the packages is their maintainer, so they name no mail address.
lintian --allow-root --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog --fail-on error,warning,info "$out"/*.changes ||
	die "lintian has found something"
(cd "$TOP" && ls "${out#"$TOP"/}"/*.deb)
