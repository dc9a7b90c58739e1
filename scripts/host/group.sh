#!/bin/bash
# Test: threads that call msync at the same time share a flush, or a FUA write
# Cases: flush fua atomic
# Timeout: 240
#
# Each thread stores to a page of its own file and calls msync, again and again. Each
# write and each flush of the disk takes a millisecond. Guest time counts instructions
# (one nanosecond each). So neither the speed of the emulation nor other programs on
# this machine decide which thread comes too late to share a flush.

. "$SCRIPTS/host/lib.sh"

t_case flush
"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$SCRIPTS/host/guest/group-run:run.sh"
VM_ACCEL=tcg,thread=single "$SCRIPTS/vm.sh" -n group -o "$OUT/vm" -k "$VMLINUZ" \
	-i "$INITRD,$OUT/run.cpio" -s 1 -m 1536 -a "$CMDLINE" -t 200 -q 100 \
	-- -icount shift=0,sleep=off -cpu max,-erms,-fsrm ||
	t_die "$(head -n 1 "$OUT/vm/problems.log")"

# rows KIND: check the lines "group KIND THREADS CALLS FLUSHES RECORDS MICROSECONDS"
rows() {
	t_eq "numbers of threads" "$(grep -c "^group $1 " "$OUT/vm/channel.log")" 3
	while read -r _ _ threads calls flushes records us; do
		trips=$((flushes > records ? flushes : records))
		t_info "$(printf '%-6s %d threads: %d calls, %d flushes, %d records: %s a call, of %d us' "$1" \
			"$threads" "$calls" "$flushes" "$records" \
			"$(awk -v t=$trips -v n="$calls" 'BEGIN { printf "%.3f", t / n }')" "$us")"
		if [ "$1" = fua ]; then t_eq "flushes beside FUA" "$flushes" 0; else t_eq flushes "$flushes" "$records"; fi
		case $threads in
		# A single thread shares no flush, so each call has one flush or FUA
		# write. With any other count, the disk has the wrong settings.
		1) t_eq "flushes or FUA writes, one thread" $trips "$calls" ;;
		8) t_le "flushes or FUA writes of $calls calls, 8 threads" $trips $((calls * 3 / 10)) ;;
		esac
	done < <(grep "^group $1 " "$OUT/vm/channel.log")
}
rows flush
t_case fua
rows fua
t_case atomic
rows atomic
