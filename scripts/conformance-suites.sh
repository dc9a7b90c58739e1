#!/bin/bash
# Fetch and build the public suites that the end-to-end test "conformance" runs.
# Prints the arguments with which initramfs.sh copies the suites into a guest.
# Usage: conformance-suites.sh
#
# In the guest:
#   /conformance/opts/INTERFACE/N-M[.sh]  the tests of the Open POSIX Test Suite.
#	Its sources are under opts/conformance, because some tests map them
#   /conformance/opts.list  lines "GROUP TEST", one for each test of these
#	interfaces.  GROUP is the interface, or msync if the test calls msync()
#   /conformance/selftests/NAME, selftests.list  the kernel's selftests
#   /bin/stress-ng

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" conformance

interfaces='mmap munmap mlock mlockall munlock munlockall'

# These selftests are about mapping and locking and run without huge pages, NUMA or
# a debug kernel.  The words after a colon are options for the linker.
selftests='mm/droppable mm/madv_populate mm/map_fixed_noreplace mm/map_populate
mm/mdwe_test mm/mkdirty mm/mlock-random-test:-lcap mm/mlock2-tests mm/mremap_dontunmap
mm/mremap_test mm/mseal_test mm/on-fault-limit mm/pagemap_ioctl:-lm mm/seal_elf
mm/soft-dirty mincore/mincore_selftest cachestat/test_cachestat:-D__NR_cachestat=451'

# compile_opts DIR: build the suite and print one line for each test.  A test that
# does not build is missing in the guest, where it counts as a failure.
compile_opts() {
	local i f t group out=$1/opts
	cd "$opts/conformance/interfaces" || return 1
	for i in $interfaces; do
		mkdir -p "$out/$i"
		for f in "$i"/[0-9]*-[0-9]*.* "$i"/speculative/[0-9]*-[0-9]*.*; do
			[ -e "$f" ] || continue
			t=${f%.*} group=$i
			! grep -q 'msync *(.*;' "$f" || group=msync
			mkdir -p "$out/${t%/*}" "$out/conformance/interfaces/${f%/*}"
			cp "$f" "$out/conformance/interfaces/$f"
			case $f in
			*.sh)
				install -m 755 "$f" "$out/$f"
				t=$f
				;;
			*.c)
				echo "opts $t"
				# These flags are from the suite's Makefile and Debian's patch to it.
				gcc -g -O2 -w -s -static -std=gnu99 -D_GNU_SOURCE -D_POSIX_C_SOURCE=200112L \
					-I"$opts/include" "$f" -o "$out/$t" -lpthread -lrt || echo "$t: does not build"
				;;
			esac
			echo "$group $t" >>"$1/opts.list"
		done
	done
}

compile_selftests() {
	local t s lib out=$1/selftests
	mkdir -p "$out"
	for t in $selftests; do
		lib='' s=${t%%:*}
		case $t in *:*) lib=${t#*:} ;; esac
		case $s in mm/*) lib="vm_util.c thp_settings.c $lib" ;; esac
		echo "selftest $s"
		cd "$source/tools/testing/selftests/${s%/*}" || return 1
		# These flags are from mm/Makefile.  tools/include/uapi matches this
		# kernel, but lacks some headers.  Those come from the machine.
		# shellcheck disable=SC2086
		gcc -O2 -w -s -static -U_FORTIFY_SOURCE -D_GNU_SOURCE= -no-pie -include asm/posix_types.h \
			-I"$source" -I"$source/tools/testing/selftests" -isystem "$source/tools/include/uapi" \
			"${s#*/}.c" $lib -lrt -lpthread -o "$out/${s#*/}" || echo "$s: does not build"
		echo "${s#*/}" >>"$1/selftests.list"
	done
}

compile() {
	compile_opts "$1"
	compile_selftests "$1"
}

build() {
	[ ! -e "$dest/done" ] || return 0
	say "building the conformance suites"
	rm -rf "$dest"
	mkdir -p "$dest/tree"
	log=$dest/build.log
	run_quietly "$log" 'grep -cE "^(opts|selftest) " "$log"' compile "$dest/tree" || return 1
	grep ': does not build$' "$log" >&2 || true
	: >"$dest/done"
}

opts=$("$SCRIPTS/debian-source.sh" posixtestsuite)
source=$("$SCRIPTS/kernel-source.sh" selftests)
key=$({ cat "$0"; source_version; gcc --version | head -n 1; } | sha256sum | cut -c -12)
dest=$CACHE/conformance-$key
with_lock conformance build || die "could not build the conformance suites; log: $dest/build.log"
echo "-p stress-ng -a $dest/tree:conformance"
