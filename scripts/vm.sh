#!/bin/bash
# Run one QEMU guest and tell whether it has passed.
# Usage: vm.sh -o DIR -k KERNEL -i INITRD [-s CPUS] [-m MiB] [-d DISK]... [-a CMDLINE] [-t SECONDS] [-q SECONDS] [-n NAME] [-K ACKS] [-v] [-- QEMU-ARG...]
#
# -o  directory for console.log, channel.log (the output of the guest on its second
#     serial port), problems.log, excused.log, starved and qemu.pid
# -i  initramfs; several files, separated by commas, are concatenated
# -d  raw disk image, for a virtio-blk disk with a volatile write-back cache; the text
#     after a comma goes to -device (image.raw,serial=x)
# -t, -q  give up after this time in total / without output. The time stands still while
#     the guest is starved: while its busiest thread waits for a CPU of this host, or
#     while the guest is stopped
# -K  SIGKILL the guest at a random moment, up to 0.2 s after it has written this many
#     lines "ack ...". The run succeeds if the guest was alive until the kill
# -v  show the guest's messages as they arrive
#
# VM_ACCEL in the environment replaces QEMU's -accel (tcg,thread=multi).
#
# A guest that fails before /init runs has not failed because of this project: none of
# its code has run. This script then runs itself once more, with VM_AGAIN set.
#
# A starved guest may report that a CPU or a task makes no progress. excused.log gets
# these reports, and they do not count. "starved" gets two numbers: the seconds that the
# guest was starved, and the seconds that it ran in all.
#
# The exit status of QEMU says nothing about the guest. A run succeeds if three
# conditions are true. The last line on the channel is "verdict pass". No line on the
# channel begins with "not ok". The kernel's log shows no trouble. The caller must check
# that all tests have reported.

. "$(dirname "$0")/common.sh"

args=("$@")
out='' kernel='' initrd='' cpus=2 mem=1024 append='' limit=600 quiet=120 name=guest
verbose='' kill_at='' disks=()
while getopts o:k:i:s:m:d:a:t:q:n:K:v o; do
	case $o in
	o) out=$OPTARG ;;
	k) kernel=$OPTARG ;;
	i) initrd=$OPTARG ;;
	s) cpus=$OPTARG ;;
	m) mem=$OPTARG ;;
	d) disks+=("$OPTARG") ;;
	a) append=$OPTARG ;;
	t) limit=$OPTARG ;;
	q) quiet=$OPTARG ;;
	n) name=$OPTARG ;;
	K) kill_at=$OPTARG ;;
	v) verbose=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$out" ] && [ -n "$kernel" ] && [ -n "$initrd" ] || usage
[ -r "$kernel" ] || die "no kernel image $kernel"
command -v qemu-system-x86_64 >/dev/null || die "qemu-system-x86 is missing: run scripts/deps.sh qemu"

mkdir -p "$out"
rm -f "$out"/{console,channel,problems,qemu,excused}.log "$out"/{starved,qemu.pid}
: >"$out/console.log"
: >"$out/excused.log"
: >"$out/channel.log"
case $initrd in
*,*)
	# shellcheck disable=SC2046 # the file names have no blanks
	cat $(tr ',' ' ' <<<"$initrd") >"$out/initrd"
	initrd=$out/initrd ;;
esac

drive=() n=0
for d in "${disks[@]}"; do
	props=''
	case $d in *,*) props=,${d#*,} d=${d%%,*} ;; esac
	drive+=(-drive "if=none,id=d$n,format=raw,cache=writeback,discard=unmap,file=$d"
		-device "virtio-blk-pci,drive=d$n$props")
	n=$((n + 1))
done

# loglevel=7: "quiet" would hide KTAP. panic=-1 and -no-reboot: a guest that panics ends
# at once. Without them it would hang until the time-out. no_timer_check: during the
# boot the kernel tests the timer, and on a busy host the test may see no tick. q35:
# with the older machine "pc", a debug kernel needs 20 s to read the interrupt tables of
# ACPI. No test needs the random numbers of jitterentropy or the self-tests of the
# crypto API, which take seconds.
qemu-system-x86_64 -M q35 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max -smp "$cpus" -m "$mem" \
	-display none -no-reboot -nodefaults -no-user-config \
	-chardev file,id=con,path="$out/console.log" -serial chardev:con \
	-chardev file,id=ch,path="$out/channel.log" -serial chardev:ch \
	-device virtio-rng-pci \
	"${drive[@]}" -kernel "$kernel" -initrd "$initrd" \
	-append "console=ttyS0 loglevel=7 panic=-1 oops=panic no_timer_check initcall_blacklist=jent_mod_init cryptomgr.notests $append" \
	"$@" </dev/null >"$out/qemu.log" 2>&1 &
pid=$!
echo "$pid" >"$out/qemu.pid"
trap 'kill -9 $pid 2>/dev/null' EXIT

shown=0
show() {
	local lines
	[ -n "$verbose" ] || return 0
	lines=$(wc -l <"$out/channel.log")
	[ "$lines" -gt "$shown" ] || return 0
	sed -n "$((shown + 1)),${lines}p" "$out/channel.log" |
		grep -vE '^(ktap|suite|verdict|begin|end|ack) ' | tr -d '\r' | sed 's/^/    /' >&2 || true
	shown=$lines
}

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# waited: print how long the busiest thread of the guest has waited for a CPU, in
# milliseconds
waited() {
	local f ns max=0
	for f in /proc/"$pid"/task/*/schedstat; do
		if read -r _ ns _ 2>/dev/null <"$f" && [ "$ns" -gt "$max" ]; then max=$ns; fi
	done
	echo $((max / 1000000))
}

# All times are milliseconds. $stopped: how long the guest was stopped, or how long this
# loop was late, because then this host was starved too. $own: the time that the guest
# had. $lag: how long the guest was starved in about the last 30 s.
size='' start=$(ms) last=$start own=0 seen=0 stopped=0 starved=0 lag=0 ended='' killed=''
while kill -0 "$pid" 2>/dev/null; do
	sleep "$(if [ -n "$kill_at" ]; then echo 0.02; else echo 0.2; fi)"
	if [ -n "$kill_at" ] && [ "$(grep -c '^ack ' "$out/channel.log")" -ge "$kill_at" ]; then
		sleep "0.$(printf '%03d' $((RANDOM % 200)))"
		kill -9 "$pid"
		killed=1
		break
	fi
	now=$(ms) step=$((now - last)) before=$starved
	last=$now
	if grep -q '^State:.T' "/proc/$pid/status" 2>/dev/null; then
		stopped=$((stopped + step))
	elif [ $step -gt 2000 ]; then
		stopped=$((stopped + step - 2000))
	fi
	starved=$((stopped + $(waited)))
	[ $starved -ge $before ] || starved=$before	# the guest has just ended
	lag=$((lag - lag * (step < 30000 ? step : 30000) / 30000 + starved - before))
	own=$((now - start - starved))
	now=$(stat -c %s "$out/console.log" "$out/channel.log" | tr '\n' ' ')
	[ "$now" = "$size" ] || {
		size=$now seen=$own
		[ $lag -lt 10000 ] || tail -n 100 "$out/console.log" |
			"$SCRIPTS/kernel-trouble.sh" -s >>"$out/excused.log"
	}
	show
	if [ $own -ge $((limit * 1000)) ]; then
		ended="time-out: still running after $limit s"
	elif [ $((own - seen)) -ge $((quiet * 1000)) ]; then
		ended="silent for $quiet s: hung"
	fi
	[ -z "$ended" ] || { kill -9 "$pid"; break; }
done
wait "$pid" 2>/dev/null || true
trap - EXIT
rm -f "$out/qemu.pid"
show

total=$(($(ms) - start))
echo "$((starved / 1000)) $((total / 1000))" >"$out/starved"

# A booting kernel patches its own code. A thread of QEMU that has kept the old
# translation may then trap. A boot with a single thread cannot fail in this way.
if [ -z "${VM_AGAIN:-}" ] && [ -s "$out/console.log" ] && [ ! -s "$out/qemu.log" ] &&
	! grep -q 'Run /init as init process' "$out/console.log"; then
	say "$name: has not booted${ended:+ ($ended)}, which says nothing about msyncfs; booting again"
	mv "$out/console.log" "$out/console-boot.log"
	export VM_AGAIN=1
	! grep -q 'Oops: int3' "$out/console-boot.log" || export VM_ACCEL=tcg,thread=single
	exec "$0" "${args[@]}"
fi

problem() { echo "$*" >>"$out/problems.log"; }
: >"$out/problems.log"
[ -z "$ended" ] || problem "$ended"
[ ! -s "$out/qemu.log" ] || problem "QEMU said: $(tail -n 3 "$out/qemu.log")"

sed -i 's/\r$//' "$out/channel.log"
last=$(tail -n 1 "$out/channel.log")
if [ -n "$kill_at" ]; then
	[ -n "$killed" ] || problem "ended before it acknowledged $kill_at times; last line on the channel: ${last:-(nothing)}"
elif [ "$last" != "verdict pass" ]; then
	problem "no passing verdict; last line on the channel: ${last:-(nothing)}"
fi
grep '^not ok ' "$out/channel.log" >>"$out/problems.log" || true
"$SCRIPTS/kernel-trouble.sh" "$out/console.log" "$out/excused.log" >>"$out/problems.log" || true
[ ! -s "$out/excused.log" ] || say "$name: starved by this host for $((starved / 1000)) of $((total / 1000)) s; its reports of that do not count"

if [ -s "$out/problems.log" ]; then
	say "$name: FAILED"
	head -n 40 "$out/problems.log" | sed 's/^/    /' >&2
	say "  console: ${out#"$TOP"/}/console.log"
	exit 1
fi
