#!/bin/bash
# make check: run the static checks and print one line for each tool.
# Usage: [V=1] check.sh [TOOL...]
#
# Tools: build sparse floors sizes checkpatch kernel-doc coccinelle shellcheck codespell
# rst clang-format.  As many tools as there are CPUs run side by side.  V=1 prints the whole
# output of each tool instead of its first lines.

. "$(dirname "$0")/common.sh"

"$SCRIPTS/deps.sh" build check
tree=$("$SCRIPTS/kernel-source.sh")
cd "$TOP"
out=$BUILD/check
mkdir -p "$out"

# list PATTERN...: print the existing files that git tracks or could add.
list() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ ! -e "$f" ] || echo "$f"; done; }
mapfile -t kernel_c < <(list 'fs/*.c' 'mm/*.c' 'kunit/*.c')
mapfile -t sources < <(list 'fs/*.[ch]' 'mm/*.[ch]' 'kunit/*.[ch]' 'include/*.h')
mapfile -t tools < <(list 'tools/*.[ch]')
mapfile -t shell < <(list scripts .ci 'tools/*.sh' | xargs grep -lE '^(#!.*\b(ba)?sh\b|# shellcheck shell=)')
mapfile -t texts < <(list ':!COPYING')
mapfile -t rst < <(list 'Documentation/*.rst')

# verdict TOOL LOG: print whether the tool has passed; it has failed if LOG is not empty
verdict() {
	if [ -s "$2" ]; then
		printf '  FAIL  %-12s %s\n' "$1" "$(wc -l <"$2") lines, in ${2#"$TOP"/}"
		if [ -n "${V:-}" ]; then cat "$2"; else head -n 12 "$2"; fi | sed 's/^/          /'
	else
		printf '  ok    %s\n' "$1"
		rm "$out/$1.failed"
	fi
}

# compile LOG MAKE-ARG...: collect the warnings of a build in LOG. An incremental build
# does not repeat the warnings of earlier builds. So this function compiles all files,
# in a directory of its own.
compile() {
	local log=$1 tree=${1%.log}.tree
	shift
	rm -rf "$tree"
	mkdir -p "$tree"
	for d in fs mm include kunit; do [ ! -d "$d" ] || cp -rs "$TOP/$d" "$tree/"; done
	ln -s "$TOP/Kbuild" "$tree/Kbuild"
	make -C "$kdir" M="$tree" W=1 -j"$(nproc)" "$@" modules >"$log.full" 2>&1 ||
		echo "the build failed: $log.full" >>"$log"
	grep -E 'warning|error|Error' "$log.full" | sed "s|$tree/||g" | sort -u >>"$log" || true
	rm -rf "$tree"
}

kver() {
	find /usr/src -maxdepth 1 -name "linux-headers-$SERIES.*-amd64" -printf '%f\n' |
		sed 's/^linux-headers-//' | sort -V | tail -n 1
}

# both_kernels LOG MAKE-ARG...: compile for the stock kernel. If the test kernel is in
# the cache, compile for the test kernel too. Only the test kernel builds the KUnit
# suites.
both_kernels() {
	compile "$@"
	local kdir
	kdir=$(find "$CACHE" -path "*/test-kernel-$SERIES*/done" -printf '%T@ %h/src\n' | sort -rn | head -n 1)
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

# floors.py reads the objects of a build, so build all objects first.
check_floors() {
	KVER=$(kver) KDIR='' MAKEFLAGS='' "$SCRIPTS/build-modules.sh" >"$1.build" 2>&1 || cat "$1.build" >>"$1"
	"$SCRIPTS/floors.py" "$BUILD/$(kver)/src" >>"$1" 2>"$1.full" || cat "$1.full" >>"$1"
}

check_sizes() { "$SCRIPTS/sizes.py" >"$1" 2>"$1.full" || cat "$1.full" >>"$1"; }

# These checks do not apply here. Some make sense only inside the kernel's own tree. The
# kernel's macros need mixed-case names (BH_Name). User space also includes some
# headers, so these headers cannot use BIT(). The trace header follows the layout of the
# kernel's trace headers. Macros in compat.h define functions. Macros in kunit/ and tools/
# name a member of a structure twice, for its offset and for its size. Some checks are for kernel code only, and tools/ has programs.
ignore=FILE_PATH_CHANGES,EMBEDDED_FILENAME,CONFIG_DESCRIPTION,LINUX_VERSION_CODE
ignore+=,CONSTANT_COMPARISON,CAMELCASE,BIT_MACRO
ignore_trace=$ignore,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE
ignore_kunit=$ignore,MACRO_ARG_REUSE
ignore_compat=$ignore,MACRO_WITH_FLOW_CONTROL,MACRO_ARG_PRECEDENCE
ignore_tools=$ignore,PREFER_KERNEL_TYPES,STRCPY,STRLCPY,STRNCPY,CONSIDER_KSTRTO
ignore_tools+=,SSCANF_TO_KSTRTO,NAKED_SSCANF,EXPORT_SYMBOL,MACRO_ARG_UNUSED,SPLIT_STRING
ignore_tools+=,MACRO_ARG_REUSE,VOLATILE,PREFER_DEFINED_ATTRIBUTE_MACRO,EMBEDDED_FUNCTION_NAME

# style IGNORE FILE...: run checkpatch without the checks in IGNORE
style() {
	local ignore=$1
	shift
	[ $# -eq 0 ] ||
		perl "$tree/scripts/checkpatch.pl" --strict --no-tree --no-summary --terse \
			--show-types --color=never --ignore "$ignore" -f "$@" 2>&1 || true
}

check_checkpatch() {
	local f plain=() kunit=() trace=() compat=()
	for f in "${sources[@]}"; do
		case $f in
		fs/disk/trace.h) trace+=("$f") ;;
		kunit/*) kunit+=("$f") ;;
		include/compat.h) compat+=("$f") ;;
		*) plain+=("$f") ;;
		esac
	done
	{
		style "$ignore" "${plain[@]}"
		style "$ignore_trace" "${trace[@]}"
		style "$ignore_kunit" "${kunit[@]}"
		style "$ignore_compat" "${compat[@]}"
		style "$ignore_tools" "${tools[@]}"
	} >"$1"
	rm -f .checkpatch-camelcase.*	# the cache of checkpatch
}

check_kernel_doc() {
	perl "$tree/scripts/kernel-doc" -none -Wall "${sources[@]}" 2>&1 |
		grep -E 'warning|error' >"$1" || true
}

# Run the semantic patches of the kernel that can find mistakes in a filesystem.
check_coccinelle() {
	local f
	: >"$1"
	for f in "$tree"/scripts/coccinelle/{free/{kfree,ifnullfree},locks/{call_kern,double_lock,flags,mini_lock},null/{deref_null,eno,kmerr},iterators/{itnull,list_entry_update,use_after_iter},tests/{doublebitand,doubletest,odd_ptr_err,unsigned_lesser_than_zero},misc/{array_size,badty,cond_no_effect,doubleinit,ifcol,noderef,orplus,semicolon,test_addr,warn,swap,minmax,returnvar},api/{memdup,memdup_user,kvmalloc,err_cast,kstrdup,resource_size}}.cocci; do
		spatch --very-quiet -D report --no-show-diff --no-includes \
			--cocci-file "$f" "${kernel_c[@]}" 2>"$1.err" >>"$1" ||
			cat "$1.err" >>"$1"
	done
}

check_shellcheck() { shellcheck -x -P SCRIPTDIR -e SC1091,SC2015,SC2016,SC2317 "${shell[@]}" >"$1" 2>&1 || true; }
# Without -L, codespell would report these words as mistakes. They are words of the
# kernel, and \(bu of the man pages.
check_codespell() { codespell -q 3 -L iput,uptodate,filp,fo,inout,nd,fpr,ue,mis,bu "${texts[@]}" >"$1" 2>&1 || true; }
check_rst() {
	local f
	for f in "${rst[@]}"; do rst2html --report=1 "$f"; done 2>"$1" >/dev/null || true
}

# The result of clang-format is only information: its configuration covers only a part
# of the kernel's style.
check_clang_format() {
	local n
	n=$(for f in "${sources[@]}"; do
		clang-format --style="file:$tree/.clang-format" "$f" | diff -U 0 "$f" - || true
	done | tee "$1.diff" | grep -c '^-[^-]' || true)
	printf '  info  %-12s %s\n' clang-format "would change $n lines (${1#"$TOP"/}.diff)"
}

# run TOOL: run the tool and print its verdict. The file TOOL.failed exists until the
# tool has passed. So if a check ends early, the tool counts as failed.
run() {
	local log=$out/$1.log
	: >"$log"
	"check_${1//-/_}" "$log"
	if [ "$1" = clang-format ]; then rm "$out/$1.failed"; else verdict "$1" "$log"; fi
}

kdir=/usr/src/linux-headers-$(kver)
# The slowest tools start first.
[ $# -gt 0 ] ||
	set -- coccinelle build sparse floors sizes checkpatch kernel-doc shellcheck codespell rst clang-format
for t; do
	declare -F "check_${t//-/_}" >/dev/null || die "no such tool: $t"
done
for t; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
	say "$t"
	: >"$out/$t.failed"
	(run "$t" >"$out/$t.verdict"; cat "$out/$t.verdict") &
done
wait

echo
failed=0
for t; do
	[ -e "$out/$t.failed" ] || continue
	failed=$((failed + 1))
	grep -q FAIL "$out/$t.verdict" || echo "$t broke"
done
if [ "$failed" -gt 0 ]; then
	echo "check: FAILED ($failed of $# tools)"
	exit 1
fi
echo "check: clean"
