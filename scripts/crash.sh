#!/bin/bash
# Kill a guest over and over and let it check, each time, what survived.
# Usage: crash.sh -o DIR -n ROUNDS -r GUEST-SCRIPT -d DISK [-a MAX-ACKS] [-l FILE] [-c FILES]... [-- QEMU-ARG...]
#
# The guest script is the /run.sh of every round.  In order, it must
#   check the disk that the round before left; $ROUND (0: the disk is blank) and
#     $ACKED, the text of the last "ack TEXT" line that arrived here before the
#     SIGKILL, tell what has to be there.  Wrong: "not ok NAME  reason", exit 1.
#   say "checked TEXT" on $CHANNEL
#   exit 0 if $LAST is set
#   work for ever, with a line "ack TEXT" for each durable step
# All rounds use one disk image.  -a (default 30): a round is killed after a
# random number of acknowledgements up to this.  -l: file that gets one line per
# round.  -c SRC:DEST: more files for the guest.
#
# Environment, from e2e.sh or boot.sh: VMLINUZ, INITRD, CMDLINE.

. "$(dirname "$0")/common.sh"
out='' rounds='' script='' disk='' max=30 log=/dev/null files=()
while getopts o:n:r:d:a:l:c: o; do
	case $o in
	o) out=$OPTARG ;;
	n) rounds=$OPTARG ;;
	r) script=$OPTARG ;;
	d) disk=$OPTARG ;;
	a) max=$OPTARG ;;
	l) log=$OPTARG ;;
	c) files+=(-a "$OPTARG") ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$out" ] && [ -n "$rounds" ] && [ -n "$script" ] && [ -n "$disk" ] || usage
mkdir -p "$out"

acked='' after=0
for ((round = 0; round <= rounds; round++)); do
	last='' how=()
	if [ "$round" -eq "$rounds" ]; then
		last=1
	else
		after=$((1 + RANDOM % max))
		how=(-K "$after")
	fi
	printf 'ROUND=%q\nACKED=%q\nLAST=%q\n' "$round" "$acked" "$last" >"$out/env"
	printf '. /crash.env\n. /crash.sh\n' >"$out/run.sh"
	"$SCRIPTS/initramfs.sh" -b -o "$out/round.cpio" "${files[@]}" -a "$out/env:crash.env" \
		-a "$script:crash.sh" -a "$out/run.sh:run.sh"
	if ! "$SCRIPTS/vm.sh" -n "crash round $round" -o "$out" -k "$VMLINUZ" -i "$INITRD,$out/round.cpio" \
		-s 1 -m 768 -d "$disk" -a "$CMDLINE" -t 300 -q 60 "${how[@]}" -- "$@"; then
		say "round $round failed (killed after: ${acked:-nothing yet})"
		exit 1
	fi
	checked=$(sed -n 's/^checked *//p' "$out/channel.log" | tail -n 1)
	grep -q '^checked' "$out/channel.log" || { say "round $round: the guest checked nothing"; exit 1; }
	line="round $round: found ${checked:-nothing}; promised ${acked:-nothing}"
	# The last line may be cut off by the kill; only a whole one is a promise.
	acked=$(head -n "$(wc -l <"$out/channel.log")" "$out/channel.log" | sed -n 's/^ack //p' | tail -n 1)
	echo "$line" >>"$log"
done
