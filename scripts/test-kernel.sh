#!/bin/bash
# Build the test kernel for the KUnit suites, unless the cache has it. Print shell
# assignments: TEST_BZIMAGE, TEST_RELEASE, and TEST_KDIR, a tree for building modules.
# Usage: test-kernel.sh

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" kernel

config=$SCRIPTS/test-kernel.config
version=$(source_version)
key=$({ cat "$config"; echo "$version"; gcc --version | head -n 1; } | sha256sum | cut -c -12)
dest=$CACHE/test-kernel-$version-$key

build() {
	local src log
	[ ! -e "$dest/done" ] || return 0
	say "building the test kernel once (linux-source $version, about 8 minutes on 2 cores)"
	rm -rf "$dest"
	mkdir -p "$dest"
	log=$dest/build.log
	src=$dest/src

	say "unpacking linux-source-$SERIES"
	mkdir "$src"
	run_quietly "$log" 'du -sh "$src" | cut -f 1' \
		tar -C "$src" --strip-components=1 -xf "/usr/src/linux-source-$SERIES.tar.xz" || return 1

	cd "$src" || return 1
	make -s KCONFIG_ALLCONFIG="$config" allnoconfig >"$log" 2>&1 ||
		{ cat "$log" >&2; return 1; }
	if grep '^CONFIG_' "$config" | grep -vxFf .config >&2; then
		say "Kconfig dropped these lines of ${config#"$TOP"/}"
		return 1
	fi

	say "compiling"
	run_quietly "$log" \
		'echo "$(grep -cE "^  (CC|AS|LD|AR) " "$log") objects, $(tail -n 1 "$log" | cut -c -50)"' \
		make -j"$(nproc)" bzImage modules || return 1
	prune || return 1
	: >"$dest/done"
}

# Remove the files that are not needed to build and check modules. These files stay:
# headers, Makefiles, scripts and their host programs, Module.symvers, the KUnit parser.
# This reduces 2 GiB to 300 MiB.
prune() {
	say "pruning the build tree"
	cp arch/x86/boot/bzImage "$dest/bzImage"
	find . -path ./scripts -prune -o -path ./tools -prune -o -type f \
		\( -name '*.[oaS]' -o -name '*.c' -o -name '.*.cmd' -o -name '*.dts*' \
		-o -name 'vmlinux*' -o -name '.tmp_*' -o -name '*.symversions' \) -print0 |
		xargs -0 rm -f
	rm -rf Documentation sound samples drivers/gpu/drm tools/testing/selftests \
		tools/perf arch/x86/boot/compressed
	find arch -mindepth 1 -maxdepth 1 -type d ! -name x86 -exec rm -rf {} +
}

with_lock test-kernel build || die "could not build the test kernel; log: $dest/build.log"
printf 'TEST_KDIR=%q\nTEST_BZIMAGE=%q\nTEST_RELEASE=%q\n' \
	"$dest/src" "$dest/bzImage" "$(cat "$dest/src/include/config/kernel.release")"
