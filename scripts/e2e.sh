#!/bin/bash
# Run the end-to-end tests: scripts/guest/*.sh in guests, scripts/host/*.sh on this
# host.
# Usage: [RUN=NAME] e2e.sh [-D] [TEST...]
#
# -D  use the test kernel of the KUnit suites instead of the stock kernel
#
# The guest tests that load msyncfs_hook (t_hook) share one guest. All other guest tests
# share another guest. If a guest dies, the running test has failed, and the remaining
# tests get a new guest. The guests and the tests on the host are jobs. Two jobs run
# side by side, or one if there is only one CPU.
#
# Environment:
# RUN=NAME         writes to build/e2e-NAME, so that two runs can go on at once
# BESIDE=PID       a process that counts as one of the jobs
# PATIENCE=N       multiplies all time limits by N
# COST_CALLS, HOOK_ROUNDS, ATOMIC_SEED, ATOMIC_ROUNDS, FSX_SEED, FSX_OPS, FIO_MIB,
# CRASH_ROUNDS, CRASH_STATES, CRASH_SEED: see the tests

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/boot.sh"
debug=''
while getopts D o; do
	case $o in
	D) debug=debug ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))

"$SCRIPTS/deps.sh" qemu e2e
OUT=$BUILD/e2e${debug:+-debug}${RUN:+-$RUN}
rm -rf "$OUT"
mkdir -p "$OUT"

all_guest=$(cd "$SCRIPTS/guest" && for f in *.sh; do [ "$f" = lib.sh ] || echo "${f%.sh}"; done)
all_host=$(cd "$SCRIPTS/host" && for f in *.sh; do [ "$f" = lib.sh ] || echo "${f%.sh}"; done)
guest='' host=''
for t in "${@:-}"; do
	if [ -z "$t" ]; then
		guest=$all_guest host=$all_host
	elif [ -e "$SCRIPTS/guest/$t.sh" ]; then
		guest="$guest $t"
	elif [ -e "$SCRIPTS/host/$t.sh" ]; then
		host="$host $t"
	else
		die "no such test: $t; there are: ${all_guest//$'\n'/ } ${all_host//$'\n'/ }"
	fi
done

# cases FILE: print the cases that the test must report; see scripts/guest/lib.sh
cases() {
	awk -v t="$(basename "$1" .sh)" '
		/^# Cases:/ { for (i = 3; i <= NF; i++) print t "." $i; n = 1 }
		END { if (!n) print t }' "$1"
}

boot_prepare "$OUT" "$debug"
SLOW=$((SLOW * ${PATIENCE:-1}))

# A test may need more files in its guest. Then "# Brings: SCRIPT [ARG]" in its header names a
# script that prints further arguments for initramfs.sh.
declare -A brings=()
for t in $guest; do
	p=$(sed -n 's/^# Programs: *//p' "$SCRIPTS/guest/$t.sh")
	if [ -n "$p" ]; then
		"$SCRIPTS/deps.sh" "$t"
		brings[$t]="-p ${p// / -p }"
	fi
	b=$(sed -n 's/^# Brings: *//p' "$SCRIPTS/guest/$t.sh")
	[ -n "$b" ] || continue
	# Without these files the test itself reports that it has nothing to run.
	# shellcheck disable=SC2086 # a script and its arguments
	brings[$t]+=" $("$SCRIPTS"/$b)" || say "scripts/$b failed, so $t will fail"
done

# starved DIR: succeed if this host starved the guest for a quarter of the time
starved() {
	local starved total
	read -r starved total <"$1/starved" && [ $((starved * 4)) -ge "$total" ]
}

# run_guest JOB ROUND TESTS: run the tests in one guest and add their reports to the
# results.  Print the tests that did not run because the guest died, and those that must
# run again.
run_guest() {
	local job=$1 dir=$OUT/$1$2 results=$OUT/results.$1
	local t c left='' again='' running problem died='' accel='' more=''
	# One CPU of the guest may patch code while another CPU translates this code.
	# QEMU before 8.1 may then keep the old translation.
	[ "$job" != livepatch ] || accel=tcg,thread=single
	mkdir -p "$dir"
	tr ' ' '\n' <<<"$3" | grep . >"$dir/tests.list"
	printf 'SLOW=%q COST_CALLS=%q HOOK_ROUNDS=%q ATOMIC_SEED=%q ATOMIC_ROUNDS=%q FSX_SEED=%q FSX_OPS=%q FIO_MIB=%q\n' \
		"$SLOW" "${COST_CALLS:-}" "${HOOK_ROUNDS:-}" "${ATOMIC_SEED:-}" \
		"${ATOMIC_ROUNDS:-}" "${FSX_SEED:-}" "${FSX_OPS:-}" "${FIO_MIB:-}" >"$dir/tests.env"
	for t in $3; do more="$more ${brings[$t]:-}"; done
	# shellcheck disable=SC2086 # word splitting wanted
	"$SCRIPTS/initramfs.sh" -b -o "$dir/list" $more -a "$dir/tests.list:tests.list" \
		-a "$dir/tests.env:tests.env" -a "$SCRIPTS/guest/run-tests:run.sh"
	rm -f "$OUT/$job"-disk[12].raw
	truncate -s 1G "$OUT/$job-disk1.raw" "$OUT/$job-disk2.raw"
	VM_ACCEL=$accel "$SCRIPTS/vm.sh" -v -n "end-to-end $job" -o "$dir" -k "$VMLINUZ" -i "$INITRD,$dir/list" \
		-m "$MEM" -d "$OUT/$job-disk1.raw,serial=disk1" -d "$OUT/$job-disk2.raw,serial=disk2" \
		-a "$CMDLINE" -t $((1200 * SLOW)) -q $((150 * SLOW)) || died=1

	running=$(awk '$1 == "begin" { t = $2 } $1 == "end" { t = "" } END { print t }' "$dir/channel.log")
	while read -r t; do
		if ! grep -qx "begin $t" "$dir/channel.log"; then
			left="$left $t"
			continue
		fi
		# The time limit of a test counts all time, because the test knows no other.
		if grep -q "^# $t was killed" "$dir/channel.log" && starved "$dir" && [ ! -e "$OUT/again.$t" ]; then
			say "$t: out of time, but the guest was starved by this host; running it again"
			: >"$OUT/again.$t"
			again="$again $t"
			continue
		fi
		# Trouble in the kernel's log belongs to the test that was running.
		awk -v t="$t" '{ sub(/\r$/, "") } /msyncfs-test: begin / { on = ($NF == t) } on' \
			"$dir/console.log" >"$dir/console.$t"
		problem=$("$SCRIPTS/kernel-trouble.sh" "$dir/console.$t" "$dir/excused.log" | head -n 1) || true
		[ "$t" != "$running" ] || problem="the guest died${problem:+; $problem}"
		while read -r c; do
			if [ -n "$problem" ]; then
				echo "not ok $c  $problem"
			else
				grep -E "^(not )?ok $c( |\$)" "$dir/channel.log" ||
					echo "not ok $c  did not run$(sed -n "s/^# $t \(was killed\)/; \1/p" "$dir/channel.log")"
			fi
		done < <(cases "$SCRIPTS/guest/$t.sh") >>"$results"
		grep -E "^not ok $t\.tidy " "$dir/channel.log" >>"$results" || true
	done <"$dir/tests.list"

	# Report trouble that no single test has caused: memory leaks, trouble during
	# the boot, the death of the guest.
	grep -E '^(not )?ok kmemleak' "$dir/channel.log" >>"$results" || true
	sed '/msyncfs-test: begin /,$d' "$dir/console.log" >"$dir/console.boot"
	problem=$("$SCRIPTS/kernel-trouble.sh" "$dir/console.boot" | head -n 1) || true
	[ -z "$problem" ] || echo "not ok e2e.boot  $problem" >>"$results"
	if [ -n "$died" ] && [ -z "$again" ] && ! grep -q '^not ok' "$results"; then
		echo "not ok e2e.$job$2  $(head -n 1 "$dir/problems.log")" >>"$results"
	fi
	if [ -z "$running" ] && [ -n "$left" ]; then
		# The guest died while no test was running. A new guest would probably
		# die, too, so give up.
		for t in $left; do
			cases "$SCRIPTS/guest/$t.sh" | sed 's/.*/not ok &  did not run: the guest died/' >>"$results"
		done
		left=''
	fi
	echo "$again $left"
}

# guest_tests JOB TESTS: run the tests; if the guest dies, run the remaining tests in a
# new guest
guest_tests() {
	local rest=$2 round=0
	while [ -n "${rest// /}" ]; do
		round=$((round + 1))
		rest=${rest//$'\n'/ }
		say "end-to-end tests on $RELEASE: $rest"
		rest=$(run_guest "$1" $round "$rest")
	done
}

# host_test TEST: run a test on the host and add its report to the results
host_test() {
	local t=$1 limit why='' c
	say "end-to-end test on the host: $t"
	mkdir -p "$OUT/$t"
	# vm.sh limits the time that each guest gets from this host. This limit is for the
	# whole test and counts all time, so it must be longer on a busy host.
	limit=$(sed -n 's/^# Timeout: *//p' "$SCRIPTS/host/$t.sh")
	: >"$OUT/$t/channel"
	env CHANNEL="$OUT/$t/channel" T_ON_HOST=1 SCRIPTS="$SCRIPTS" OUT="$OUT/$t" \
		timeout -k 10 $((${limit:-300} * SLOW * 4)) "$SCRIPTS/host/$t.sh" >"$OUT/$t/log" 2>&1 || why="exit status $?"
	sed -n 's/^# /    # /p' "$OUT/$t/channel" >&2
	[ -z "$why" ] || tail -n 25 "$OUT/$t/log" | sed 's/^/    | /' >&2
	while read -r c; do
		grep -E "^(not )?ok $c( |\$)" "$OUT/$t/channel" || echo "not ok $c  did not run${why:+ ($why)}"
	done < <(cases "$SCRIPTS/host/$t.sh") >>"$OUT/results.$t"
}

# job NAME CMD...: wait until a job may start, then run CMD in the background. If CMD
# ends without reporting all cases, the missing cases have failed.
slots=$(nproc)
[ "$slots" -le 2 ] || slots=2
busy() {
	local n
	n=$(jobs -rp | wc -l)
	if [ -n "${BESIDE:-}" ] && kill -0 "$BESIDE" 2>/dev/null; then n=$((n + 1)); fi
	[ "$n" -ge "$slots" ]
}
# Background processes do not receive an interrupt from the terminal, so this trap ends
# them.
trap 'trap "" TERM; kill 0; exit 130' INT
jobs_=()
job() {
	local name=$1
	shift
	jobs_+=("$name")
	: >"$OUT/results.$name"
	while busy; do sleep 0.5; done
	"$@" &
}

plain='' livepatch=''
for t in $guest; do
	if grep -qw t_hook "$SCRIPTS/guest/$t.sh"; then livepatch="$livepatch $t"; else plain="$plain $t"; fi
done
[ -z "$plain" ] || job guest guest_tests guest "$plain"
[ -z "$livepatch" ] || job livepatch guest_tests livepatch "$livepatch"
# The slowest tests on the host start first.
order=$(for t in $host; do
	echo "$(sed -n 's/^# Timeout: *//p' "$SCRIPTS/host/$t.sh") $t"
done | sort -rn | cut -d ' ' -f 2)
for h in $order; do job "$h" host_test "$h"; done
wait

for t in "${jobs_[@]}"; do cat "$OUT/results.$t"; done >"$OUT/results"
while read -r c; do
	grep -qE "^(not )?ok $c( |\$)" "$OUT/results" || echo "not ok $c  did not run" >>"$OUT/results"
done < <(for t in $guest; do cases "$SCRIPTS/guest/$t.sh"; done
	for t in $host; do cases "$SCRIPTS/host/$t.sh"; done)

"$SCRIPTS/summary.sh" -t "end-to-end" "$OUT/results"
