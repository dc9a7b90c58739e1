#!/bin/bash
# Explore the disk states that a power failure could leave.  A guest runs workloads on
# disks of its own, and records the writes and flushes. The script makes states from the
# recording. Then it recovers each state in a guest and checks the result.
# Usage: crash-explorer.sh [-o DIR] [-j GUESTS] [-n STATES] [-s SEED] [-f FILE] [LOAD...]
#        crash-explorer.sh -b [-o DIR] [-j GUESTS] [-n STATES] [-s SEED] [-f FILE] [RULE...]
#        crash-explorer.sh -r DIR
#
# -j  number of guests that check at the same time (default: one for each CPU, at
#     most 2)
# -n  number of distinct states of all workloads together (default 12000); with -b the
#     maximum number of states for each rule (default 2000)
# -s  random seed, to repeat the choices of an earlier run (default: random)
# -f  file for the result, which is one line
# -b  break rules: in each run the module breaks one rule, and the explorer must find a
#     state that shows the violation. One more run uses ext4, whose msync is not atomic.
#     The explorer must find a bad state in this run, too
# -r  check again the bad state that an earlier run has saved in DIR
#
# LOAD selects workloads; "build/tools/tests/explore list" lists them.
#
# CRASH_STATES and CRASH_SEED in the environment have the same effect as -n and -s. The
# word "broken" before the names of the rules has the same effect as -b.
#
# e2e.sh and boot.sh set VMLINUZ, INITRD, CMDLINE and SLOW in the environment. If these
# variables are not set, this script first builds the modules and tools. In this case
# PATIENCE=N multiplies all time limits by N.

. "$(dirname "$0")/common.sh"
out=$BUILD/crash states=${CRASH_STATES:-} seed=${CRASH_SEED:-$((RANDOM * 32768 + RANDOM))} broken='' replay='' result=/dev/null
guests=$(nproc)
[ "$guests" -le 2 ] || guests=2
while getopts o:j:n:s:f:br: o; do
	case $o in
	o) out=$OPTARG ;;
	j) guests=$OPTARG ;;
	n) states=$OPTARG ;;
	s) seed=$OPTARG ;;
	f) result=$OPTARG ;;
	b) broken=1 ;;
	r) replay=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [ "${1:-}" = broken ]; then
	broken=1
	shift
fi

explore=$BUILD/tools/tests/explore
failed=$BUILD/crash/failed
sectors=32768		# sectors of a recorded disk, as in explore.h
fast=(-cpu "max,-erms,-fsrm")	# these copies are slow in QEMU
mkdir -p "$out"

if [ -n "$replay" ]; then
	state=$(cat "$replay/state")
	case $state in *" !"*) broken=1 ;; esac
fi
if [ -z "${INITRD:-}" ]; then
	. "$SCRIPTS/boot.sh"
	v=$("$SCRIPTS/stock-kernel.sh") && eval "$v"
	export BREAK=$broken
	KVER=${STOCK_RELEASE:?} KDIR='' "$SCRIPTS/build-modules.sh"
	make -s -C "$TOP" tools >&2
	boot_prepare "$out"
	SLOW=$((SLOW * ${PATIENCE:-1}))
fi
SLOW=${SLOW:-1}
databases=''	# arguments of initramfs.sh for the workloads sqlite and lmdb

# make_guest NAME SCRIPT VAR=VALUE...: prepare a guest that runs SCRIPT with the
# variables in its environment
make_guest() {
	local name=$1 script=$2
	shift 2
	mkdir -p "$out/$name"
	: >"$out/$name/channel.log"
	printf '%q\n' "$@" >"$out/$name/env"
	# shellcheck disable=SC2086 # several arguments
	"$SCRIPTS/initramfs.sh" -b -o "$out/$name.cpio" $databases \
		-a "$SCRIPTS/host/guest/$script:run.sh" -a "$out/$name/env:explore.env"
}

# run_guest NAME VM.SH-ARG...: run the guest; the exit status is 0 if the guest has
# passed
run_guest() {
	local name=$1
	shift
	"$SCRIPTS/vm.sh" -n "crash $name" -o "$out/$name" -k "$VMLINUZ" \
		-i "$INITRD,$out/$name.cpio" -a "$CMDLINE" -q $((120 * SLOW)) "$@" && return
	# A broken rule may cause messages in the kernel log. These messages do not
	# count.
	[ -n "$broken" ] && grep -q '^verdict pass' "$out/$name/channel.log"
}

# read_only RECORD...: print the QEMU arguments for read-only disks, which several
# guests share
read_only() {
	local r n=0
	for r; do
		echo -drive "if=none,id=r$n,format=raw,readonly=on,file=$r" -device "virtio-blk-pci,drive=r$n"
		n=$((n + 1))
	done
}

# give_up GUEST WHAT: end with WHAT and the last message of the guest
give_up() {
	die "$2: $({ grep -vE '^(#|not ok|verdict|recorded|$)' "$out/$1/channel.log" |
		tail -n 2 | paste -sd ' '; cat "$out/$1/problems.log"; } | head -n 1)"
}

# recording FILE: print the QEMU arguments for a disk, the last one of the guest, to
# which the guest writes a recording
recording() {
	rm -f "$1"
	truncate -s 4G "$1"
	echo -drive "if=none,id=rec,format=raw,cache=unsafe,file=$1" -device virtio-blk-pci,drive=rec
}

if [ -n "$replay" ]; then
	databases=$("$SCRIPTS/databases.sh")
	make_guest replay explore-check "CHECK=replay /dev/ram0 $state" SECTORS=$sectors
	run_guest replay -t $((120 * SLOW)) -s 1 -m 768 -d "$replay/image.raw"
	grep -E '^(good|bad) ' "$out/replay/channel.log"
	exit
fi

# ---- make the recordings ----

# For each rule this table names the workload that shows a violation.
declare -A shows=([flush]=sets [checksum]=wrap [reuse]=reuse [home]=sets [ack]=sets
	[fua]=large [freeze]=threads [failed]=failed [orphan]=orphans [spill]=spill [@ext4]=sets)
loads=()
if [ -n "$broken" ]; then
	states=${states:-2000}
	[ $# -gt 0 ] || set -- flush checksum reuse home ack fua freeze failed orphan spill @ext4
	for r; do
		[ -n "${shows[$r]:-}" ] || die "no such rule: $r; there are: ${!shows[*]}"
		case $r in
		@*) loads+=("${shows[$r]}$r") ;;
		*) loads+=("${shows[$r]}!$r") ;;
		esac
	done
else
	states=${states:-12000}
	# shellcheck disable=SC2046 # several names
	[ $# -gt 0 ] || set -- $("$explore" list)
	loads=("$@")
	for l; do
		case $l in sets | large | direct | threads | spill | wide) loads+=("$l+fua") ;; esac
		case $l in sets | large | threads) loads+=("$l+dm") ;; esac
	done
fi

case " ${loads[*]}" in *" sqlite"* | *" lmdb"*) databases=$("$SCRIPTS/databases.sh") ;; esac
say "recording: ${loads[*]}"
make_guest work explore-work "EXPLORE=work /dev/vda $seed ${loads[*]}"
# shellcheck disable=SC2046 # several arguments
run_guest work -v -m 768 -t $((900 * SLOW)) -- $(recording "$out/record") ||
	give_up work "the workloads broke off"
records=("$out/record")

recoveries=26		# at least one for each workload
[ ${#loads[@]} -le $recoveries ] || recoveries=${#loads[@]}
if [ -z "$broken" ]; then
	say "recording the recovery of $recoveries states"
	make_guest recover explore-work "EXPLORE=recover /dev/vdb $seed $recoveries /dev/vda"
	# shellcheck disable=SC2046
	run_guest recover -v -m 1024 -t $((300 * SLOW)) -- $(read_only "$out/record") $(recording "$out/recoveries") ||
		give_up recover "the recovery of states broke off"
	records=("$out/recoveries" "${records[@]}")
fi

# ---- check the states ----

say "checking $states states${broken:+ at most of each}; seed $seed"
pids=()
rm -rf "$out"/check[0-9]*
for ((w = 0; w < guests; w++)); do
	make_guest "check$w" explore-check "CHECK=check $seed $states $w $guests /dev/ram0" SECTORS=$sectors
	# shellcheck disable=SC2046
	run_guest "check$w" -s 1 -m 1024 -t $((7200 * SLOW)) -- "${fast[@]}" $(read_only "${records[@]}") &
	pids+=($!)
done
trap 'kill "${pids[@]}" 2>/dev/null' EXIT

# channels AWK-PROGRAM: run the program on the output of all guests
channels() { cat "$out"/check[0-9]*/channel.log | tr -d '\r' | awk "$1"; }

begun=$EPOCHSECONDS
while kill -0 "${pids[@]}" 2>/dev/null; do
	sleep 1
	[ $(((EPOCHSECONDS - begun) % 5)) -eq 0 ] || continue
	now=$(for ((w = 0; w < guests; w++)); do
		tr -d '\r' <"$out/check$w/channel.log" | sed -n 's/^progress //p' | tail -n 1
	done | awk '{ n += $1; r += $2; what = $3 } END { if (n) printf "%6d states  %5.1f/s  %s", n, r, what }')
	[ -z "$now" ] || say "  $now$(channels '/^bad / { n++ } END { if (n) printf "  %d BAD", n }')"
done
bad=''
for p in "${pids[@]}"; do wait "$p" || bad=1; done
trap - EXIT

# ---- print the result ----

# All guests compute the same states. Each guest checks only its own part of the states.
tr -d '\r' <"$out/check0/channel.log" | awk '
	/^explored / {
		key = $2 ($3 == "-" ? "" : $3)
		if (!(key in n)) order[++k] = key
		n[key] += $4; p[key] += $5; all[key] += $6
	}
	END {
		for (i = 1; i <= k; i++)
			printf "  %-18s %5d states, %4d of all %4d that end after a write\n",
				order[i], n[order[i]], p[order[i]], all[order[i]]
	}' >&2

# A workload is missing if its recording is incomplete, or if no guest has checked a
# state of this workload.
missing=$({
	printf 'want %s\n' "${loads[@]}"
	[ -n "$broken" ] || for ((i = 0; i < recoveries; i++)); do
		l=${loads[i % ${#loads[@]}]}
		echo "want ${l%%+*}+recovery"
	done
	tr -d '\r' <"$out/check0/channel.log"
} | awk '
	$1 == "want" && !want[$2]++ { order[++k] = $2 }
	$1 == "explored" && $4 > 0 { have[$2 ($3 == "-" ? "" : $3)]++ }
	END {
		for (i = 1; i <= k; i++)
			if (have[order[i]] < want[order[i]])
				printf "%s%s", sep++ ? ", " : "", order[i]
	}')

# save NUMBER SLICE LOAD VARIANT: save the state, and print the command that checks the
# state again
save() {
	local dir=$failed/$3$4-$1 what
	mkdir -p "$dir"
	what=$("$explore" image "$seed" "$2" "$1" "$dir/image.raw" "${records[@]}")
	echo "$seed $what" >"$dir/state"
	echo "    saved; to look at it again: scripts/crash-explorer.sh -r ${dir#"$TOP"/}" >&2
}

rc=0
if [ -n "$broken" ]; then
	caught=0
	for l in "${loads[@]}"; do
		line=$(channels "/^caught / && \$3 \$4 == \"$l\" { n = \$6; sub(/^[^|]*[|]/, \"\"); print n \" \" \$0 }" |
			sort -n | head -n 1)
		if [ -n "$line" ]; then
			caught=$((caught + 1))
			printf '  caught      %-18s after %4d states: %s\n' "$l" "${line%% *}" "${line#* }" | cut -c -200 >&2
		else
			printf '  NOT caught  %s\n' "$l" >&2
		fi
	done
	text="$caught of ${#loads[@]} broken rules caught, each within $states states; seed $seed"
	[ "$caught" -eq ${#loads[@]} ] || rc=1
else
	violations=$(channels '/^bad / { n++ } END { print n + 0 }')
	while read -r _ slice load variant number _ what; do
		printf '  BAD %s%s %s: %s\n' "$load" "${variant#-}" "$number" "${what#|}" >&2
		save "$number" "$slice" "$load" "$variant"
	done < <(channels '/^bad /' | head -n 10)
	text=$(channels "/^explored / { n += \$7; again += \$8; wrote += \$9 } /^done / { if (\$3 > s) s = \$3 }
		END { printf \"%d distinct states, %d of them again with another promise, %d written to, in %d s, %.1f/s; $violations violations; seed $seed\",
			n, again, wrote, s, s ? (n + again) / s : 0 }")
	[ "$violations" -eq 0 ] || rc=1
fi
if [ -n "$bad" ]; then
	text="$text; a guest broke off: $(cat "$out"/check[0-9]*/problems.log | head -n 1)"
	rc=1
elif [ -n "$missing" ]; then
	text="$text; not recorded to the end, or no state looked at: $missing"
	rc=1
fi
echo "$text" >"$result"
say "$text"
if [ $rc -eq 0 ]; then echo "crash: passed"; else echo "crash: FAILED"; fi
exit $rc
