#!/bin/bash
# Test: with the hook, msync on ext4, xfs and tmpfs returns the same and costs about the same
# Cases: results cost
# Timeout: 300
#
# Guest time counts instructions (one nanosecond each). A call of 10,000 instructions or
# more may take 3 % longer. A call that only looks at mappings takes a few hundred
# instructions. Such a call may take 200 instructions more. The live patch alone adds
# about 90 instructions; the row "both" shows this, because its calls fail at once. A
# call of the row "nothing" may take 400 instructions more. In this row only the hook
# looks at a mapping, not the kernel's own code.

. "$SCRIPTS/host/lib.sh"

t_case results
"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$SCRIPTS/host/guest/hookcost-run:run.sh"
VM_ACCEL=tcg,thread=single "$SCRIPTS/vm.sh" -n hookcost -o "$OUT/vm" -k "$VMLINUZ" \
	-i "$INITRD,$OUT/run.cpio" -s 1 -m 2048 -a "$CMDLINE" -t 270 -q 120 \
	-- -icount shift=0,sleep=off -cpu max,-erms,-fsrm ||
	t_die "$(head -n 1 "$OUT/vm/problems.log")"
tr -d '\r' <"$OUT/vm/channel.log" | grep '^row ' >"$OUT/rows"

# Each line of the table is: FS ROW without with without-again RESULTS...
awk '{ k = $3 " " $4; if (!(k in n)) { n[k] = ++c; key[c] = k } ns[k, $2] = $5; res[k, $2] = $6 }
	END { for (i = 1; i <= c; i++) { k = key[i]
		print k, ns[k, "without"], ns[k, "with"], ns[k, "without-again"],
			res[k, "without"], res[k, "with"] } }' "$OUT/rows" >"$OUT/table"
t_eq "rows measured" "$(wc -l <"$OUT/table")" 33
while read -r fs row _ _ _ before after; do
	[ "$before" = "$after" ] || t_fail "$fs $row: $before without the hook, $after with it"
done <"$OUT/table"

t_case cost
t_info "$(printf '%-6s %-16s %8s %8s %8s  %s' 'ns' '' without with change result)"
while read -r fs row without with again result _; do
	bound=200
	[ "$row" != nothing ] || bound=400
	line=$(awk -v bound=$bound -v a="$without" -v b="$with" -v c="$again" 'BEGIN {
		m = (a + c) / 2; printf "%8d %8d %+7.1f%%", m, b, (b - m) * 100 / m
		exit b - m > (m < 10000 ? bound : 0.03 * m) }') && over='' || over=1
	t_info "$(printf '%-6s %-16s %s  %s' "$fs" "$row" "$line" "$result")"
	[ -z "$over" ] || t_fail "$fs $row: ${line##* } longer with the hook"
done <"$OUT/table"
