# shellcheck shell=bash
# The scripts that build a kernel from Debian's package linux-source source this file.

# kernel_series SERIES: select the series, and install its source and the compiler. Other
# series than 6.12 are built in the root directory of trixie.sh.
kernel_series() {
	series=$1 where=() from=''
	# shellcheck disable=SC2153 # common.sh sets SERIES
	[ "$series" = "$SERIES" ] || where=("$SCRIPTS/trixie.sh") from=trixie-backports
	"${where[@]}" env KERNEL="$series" FROM=$from "$SCRIPTS/deps.sh" kernel
}

# kernel_dest NAME FILE...: print the directory of the cache for this kernel. The name of the
# directory depends on the content of the files, on the source and on the compiler.
kernel_dest() {
	local name=$1 version key
	shift
	version=$("${where[@]}" dpkg-query -W -f '${Version}' "linux-source-$series")
	key=$({ cat "$@"; echo "$version"; "${where[@]}" gcc --version | head -n 1; } | sha256sum | cut -c -12)
	echo "$CACHE/$name-$version-$key"
}

# kernel_unpack DEST TIME: unpack the source into DEST/src
kernel_unpack() {
	local src=$1/src log=$1/build.log
	say "building ${1##*/} once (about $2 on 2 cores)"
	rm -rf "$1"
	mkdir -p "$src"

	say "unpacking linux-source-$series"
	run_quietly "$log" 'du -sh "$src" | cut -f 1' \
		"${where[@]}" tar -C "$src" --strip-components=1 -xf "/usr/src/linux-source-$series.tar.xz"
}

# kernel_compile CONFIG MAKE-ARG...: configure and build the source in the current
# directory. The first argument of make is ARCH=NAME.
kernel_compile() {
	local config=$1 log=../build.log
	shift
	"${where[@]}" make -s "$1" KCONFIG_ALLCONFIG="$config" allnoconfig >"$log" 2>&1 ||
		{ cat "$log" >&2; return 1; }
	if grep '^CONFIG_' "$config" | grep -vxFf .config >&2; then
		say "Kconfig dropped these lines of ${config#"$TOP"/}"
		return 1
	fi

	say "compiling"
	run_quietly "$log" \
		'echo "$(grep -cE "^  (CC|AS|LD|AR) " "$log") objects, $(tail -n 1 "$log" | cut -c -50)"' \
		"${where[@]}" make -j"$(nproc)" "$@"
}

# kernel_prune ARCH...: remove the files of the current directory that are not needed to
# build and check modules. These files stay: headers, Makefiles, scripts and their host
# programs, Module.symvers, the KUnit parser. This reduces 2 GiB to 300 MiB.
kernel_prune() {
	local a keep=()
	say "pruning the build tree"
	find . -path ./scripts -prune -o -path ./tools -prune -o -type f \
		\( -name '*.[oaS]' -o -name '*.c' -o -name '.*.cmd' -o -name '*.dts*' \
		-o -name 'vmlinux*' -o -name '.tmp_*' -o -name '*.symversions' \) -print0 |
		xargs -0 rm -f
	rm -rf Documentation sound samples drivers/gpu/drm tools/testing/selftests \
		tools/perf arch/x86/boot/compressed
	for a; do keep+=(! -name "$a"); done
	find arch -mindepth 1 -maxdepth 1 -type d "${keep[@]}" -exec rm -rf {} +
}
