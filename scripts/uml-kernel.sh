#!/bin/bash
# Build the User-mode Linux kernel of the fuzzer, unless the cache has it. Print shell
# assignments: UML_LINUX, UML_RELEASE, and UML_KDIR, a tree for building modules.
# Usage: uml-kernel.sh

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/kernel-build.sh"
[ $# -eq 0 ] || usage
kernel_series "$SERIES"

config=$SCRIPTS/uml-kernel.config
dest=$(kernel_dest uml-kernel "$config" "$SCRIPTS/uml-kernel.sh")

# Linux 6.12 saves the floating-point registers of a process in 2696 bytes. A CPU with AMX
# has 11008 bytes of them, and there no process would start. Linux 6.13 asks the host.
#
# KASAN saves the stack at each allocation. User-mode Linux then looks up each word of the
# stack in the list of functions, although only the words behind frame pointers count. So go
# from frame pointer to frame pointer, and look only at those words.
patch_source() {
	local fp=arch/x86/um/user-offsets.c stack=arch/um/kernel/stacktrace.c
	sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 12288)/' $fp &&
		grep -q 12288 $fp &&
		sed -i 's/if (__kernel_text_address(addr))/if ((unsigned long)sp == bp + sizeof(long) \&\& __kernel_text_address(addr))/' $stack &&
		grep -q '&& __kernel_text_address' $stack &&
		sed -i 's/sp++;/sp = (unsigned long)sp <= bp \&\& !((bp ^ (unsigned long)sp) \& ~(THREAD_SIZE - 1)) ? (unsigned long *)bp + 1 : sp + 1;/' $stack &&
		grep -q 'bp + 1 : sp + 1' $stack
}

build() {
	[ ! -e "$dest/done" ] || return 0
	kernel_unpack "$dest" "3 minutes" && cd "$dest/src" && patch_source &&
		kernel_compile "$config" ARCH=um linux modules || return 1
	cp linux "$dest/linux"
	kernel_prune um x86 || return 1
	rm -f linux
	: >"$dest/done"
}

with_lock uml-kernel build || die "could not build the kernel of the fuzzer; log: $dest/build.log"
printf 'UML_KDIR=%q\nUML_LINUX=%q\nUML_RELEASE=%q\n' \
	"$dest/src" "$dest/linux" "$(cat "$dest/src/include/config/kernel.release")"
