#!/bin/bash
# make check: what can be found without running the module, one line per tool.
# Usage: [V=1] check.sh [TOOL...]
#
# Tools: build sparse checkpatch kernel-doc coccinelle shellcheck codespell
# clang-format.  V=1 prints all that they say instead of the first lines.

. "$(dirname "$0")/common.sh"

"$SCRIPTS/deps.sh" build check
tree=$("$SCRIPTS/kernel-source.sh")
cd "$TOP"
out=$BUILD/check
mkdir -p "$out"

# Only what git would commit: files that are being written elsewhere count too.
list() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ ! -e "$f" ] || echo "$f"; done; }
mapfile -t kernel_c < <(list 'fs/*.c' 'mm/*.c' 'kunit/*.c')
mapfile -t sources < <(list 'fs/*.[ch]' 'mm/*.[ch]' 'kunit/*.[ch]' 'include/*.h')
mapfile -t tools < <(list 'tools/*.[ch]')
mapfile -t shell < <(list scripts .ci | xargs grep -lE '^(#!.*\b(ba)?sh\b|# shellcheck shell=)')
mapfile -t texts < <(list ':!COPYING')

failed=0
# verdict TOOL LOG: a tool that said something is not content
verdict() {
	if [ -s "$2" ]; then
		failed=$((failed + 1))
		printf '  FAIL  %-12s %s\n' "$1" "$(wc -l <"$2") lines, in ${2#"$TOP"/}"
		if [ -n "${V:-}" ]; then cat "$2"; else head -n 12 "$2"; fi | sed 's/^/          /'
	else
		printf '  ok    %-12s %s\n' "$1" "${3:-}"
	fi
}

# Warnings of the build itself; those of the last full build do not come again,
# so everything is compiled anew, in a place of its own.
compile() {
	local log=$1
	shift
	rm -rf "$out/tree"
	mkdir -p "$out/tree"
	for d in fs mm include kunit; do [ ! -d "$d" ] || cp -rs "$TOP/$d" "$out/tree/"; done
	ln -s "$TOP/Kbuild" "$out/tree/Kbuild"
	make -C "$kdir" M="$out/tree" W=1 -j"$(nproc)" "$@" modules >"$log.full" 2>&1 ||
		echo "the build failed: $log.full" >>"$log"
	grep -E 'warning|error|Error' "$log.full" | sed "s|$out/tree/||g" | sort -u >>"$log" || true
}

kver() {
	find /usr/src -maxdepth 1 -name "linux-headers-$SERIES.*-amd64" -printf '%f\n' |
		sed 's/^linux-headers-//' | sort -V | tail -n 1
}

# The KUnit suites are only built by a kernel that has KUnit: the test kernel,
# if it was built already.
both_kernels() {
	compile "$@"
	local kdir
	kdir=$(find "$CACHE" -path '*/test-kernel-*/done' -printf '%T@ %h/src\n' | sort -rn | head -n 1)
	kdir=${kdir#* }
	[ -z "$kdir" ] || compile "$@"
}

check_build() {
	both_kernels "$1"
	if [ ${#tools[@]} -gt 0 ]; then
		"$SCRIPTS/deps.sh" tools
		make -s -C "$TOP" BUILD="$out" tools >"$1.tools" 2>&1 || cat "$1.tools" >>"$1"
	fi
}

check_sparse() {
	both_kernels "$1" C=2 CHECK=sparse
}

# Left out: what only makes sense inside the kernel's own tree, mixed-case names
# that the kernel's macros force on us (BH_Name), BIT() where user space reads
# the header too.  In tools/: what takes user space for the kernel.
ignore=FILE_PATH_CHANGES,EMBEDDED_FILENAME,CONFIG_DESCRIPTION,LINUX_VERSION_CODE
ignore+=,CONSTANT_COMPARISON,CAMELCASE,BIT_MACRO
ignore_tools=$ignore,PREFER_KERNEL_TYPES,STRCPY,STRLCPY,STRNCPY,CONSIDER_KSTRTO
ignore_tools+=,SSCANF_TO_KSTRTO,NAKED_SSCANF,EXPORT_SYMBOL,MACRO_ARG_UNUSED,SPLIT_STRING
ignore_tools+=,VOLATILE,PREFER_DEFINED_ATTRIBUTE_MACRO,EMBEDDED_FUNCTION_NAME
check_checkpatch() {
	perl "$tree/scripts/checkpatch.pl" --strict --no-tree --no-summary --terse --show-types \
		--color=never --ignore "$ignore" -f "${sources[@]}" >"$1" 2>&1 || true
	[ ${#tools[@]} -eq 0 ] ||
		perl "$tree/scripts/checkpatch.pl" --strict --no-tree --no-summary --terse --show-types \
			--color=never --ignore "$ignore_tools" \
			-f "${tools[@]}" >>"$1" 2>&1 || true
}

check_kernel_doc() {
	perl "$tree/scripts/kernel-doc" -none -Wall "${sources[@]}" 2>&1 |
		grep -E 'warning|error' >"$1" || true
}

# The kernel's own semantic patches, those that can say something about a
# filesystem.
check_coccinelle() {
	local f
	: >"$1"
	for f in "$tree"/scripts/coccinelle/{free/{kfree,ifnullfree},locks/{call_kern,double_lock,flags,mini_lock},null/{deref_null,eno,kmerr},iterators/{itnull,list_entry_update,use_after_iter},tests/{doublebitand,doubletest,odd_ptr_err,unsigned_lesser_than_zero},misc/{array_size,badty,cond_no_effect,doubleinit,ifcol,noderef,orplus,semicolon,test_addr,warn,swap,minmax,returnvar},api/{memdup,memdup_user,kvmalloc,err_cast,kstrdup,resource_size}}.cocci; do
		spatch --very-quiet -D report --no-show-diff --no-includes --jobs "$(nproc)" \
			--cocci-file "$f" "${kernel_c[@]}" 2>"$1.err" >>"$1" ||
			cat "$1.err" >>"$1"
	done
}

check_shellcheck() { shellcheck -x -P SCRIPTDIR -e SC1091,SC2015,SC2016,SC2317 "${shell[@]}" >"$1" 2>&1 || true; }
check_codespell() { codespell -q 3 -L iput,uptodate,filp,fo,inout,nd,fpr,ue,mis "${texts[@]}" >"$1" 2>&1 || true; }

# For information: the kernel's formatter does not know all its own habits.
check_clang_format() {
	local n
	n=$(for f in "${sources[@]}"; do
		clang-format --style="file:$tree/.clang-format" "$f" | diff -U 0 "$f" - || true
	done | tee "$1.diff" | grep -c '^-[^-]' || true)
	printf '  info  %-12s %s\n' clang-format "would change $n lines (${1#"$TOP"/}.diff)"
}

kdir=/usr/src/linux-headers-$(kver)
if [ $# -eq 0 ]; then
	set -- build sparse checkpatch kernel-doc coccinelle shellcheck codespell clang-format
fi
for t; do
	case $t in
	build | sparse | checkpatch | kernel-doc | coccinelle | clang-format)
		if [ ${#kernel_c[@]} -eq 0 ]; then
			printf '  ok    %-12s no kernel sources here\n' "$t"
			continue
		fi ;;
	shellcheck | codespell) ;;
	*) die "no such tool: $t" ;;
	esac
	say "$t"
	log=$out/${t}.log
	: >"$log"
	"check_${t//-/_}" "$log"
	[ "$t" = clang-format ] || verdict "$t" "$log"
done

echo
if [ "$failed" -gt 0 ]; then
	echo "check: FAILED ($failed of $# tools)"
	exit 1
fi
echo "check: clean"
