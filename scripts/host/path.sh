#!/bin/bash
# Test: how long one msync takes, in instructions, and how far through the tree it goes
# Cases: time walk
# Timeout: 240
#
# Guest time counts instructions (one nanosecond each). The disk is in memory, and each
# of its commands takes 20 us. The case walk lists the functions that one msync(MS_SYNC)
# of one page of an ordinary file enters. For each function it names the file that
# defines the function.

. "$SCRIPTS/host/lib.sh"

t_case time
"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$SCRIPTS/host/guest/path-run:run.sh"
VM_ACCEL=tcg,thread=single "$SCRIPTS/vm.sh" -n path -o "$OUT/vm" -k "$VMLINUZ" \
	-i "$INITRD,$OUT/run.cpio" -s 1 -m 2048 -a "$CMDLINE" -t 200 -q 100 \
	-- -icount shift=0,sleep=off -cpu max,-erms,-fsrm ||
	t_die "$(head -n 1 "$OUT/vm/problems.log")"
while read -r _ pages ns; do
	t_info "$(printf 'msync of %2d scattered pages: %8.1f us' "$pages" "$((ns / 100))e-1")"
done < <(grep '^time ' "$OUT/vm/channel.log")
t_eq "sizes measured" "$(grep -c '^time ' "$OUT/vm/channel.log")" 2

t_case walk
farm=$SCRIPTS/../build/$RELEASE/src
# Print a line "FILE FUNCTION" for each function of the module.
while read -r o; do
	f=${o#"$farm/"}
	nm "$o" | awk -v f="${f%.o}.c" '$2 ~ /[tT]/ { sub(/\..*/, "", $3); print f, $3 }'
done < <(find "$farm/fs" "$farm/mm" -name '*.o' ! -path '*/hook/*') >"$OUT/functions"
# Print the file and the function of each call, in order.
awk 'NR == FNR { file[$2] = $1; next } $1 == "call" { print ($2 in file ? file[$2] : "?"), $2 }' \
	"$OUT/functions" "$OUT/vm/channel.log" >"$OUT/walk"
files=$(cut -d ' ' -f 1 "$OUT/walk" | sort -u | wc -l)
changes=$(cut -d ' ' -f 1 "$OUT/walk" | uniq | wc -l)
t_info "$(wc -l <"$OUT/walk") calls in $files files, $((changes - 1)) changes of file"
cut -d ' ' -f 1 "$OUT/walk" | uniq -c | while read -r n f; do t_info "$(printf '%3d %s' "$n" "$f")"; done
! grep '^? ' "$OUT/walk" || t_fail "functions of no file"
t_le "files" "$files" 8
t_le "changes of file" $((changes - 1)) 25
