#!/bin/bash
# make fuzz: mount damaged images, use them, and let fsck repair them.
# Usage: [FUZZ_SEED=N] [FUZZ_IMAGES=N] [IMAGE=FILE] fuzz.sh
#
# FUZZ_SEED    number of the first image (default: random). A seed always makes the same
#              image and the same operations
# FUZZ_IMAGES  number of images (default 1000)
# IMAGE        use this image instead
#
# Two kinds of jobs run side by side. The first kind is a guest: a User-mode Linux kernel
# with KASAN mounts the images (tools/fuzz/guest.c). Such a kernel has one CPU, so there is
# a guest for each CPU of the machine. The other job runs a fsck.msyncfs that was built with
# ASAN and UBSAN (tools/fuzz/host.c). The exit status is 0 only if no image failed.
# build/fuzz/results has a line "ok NAME" or "not ok NAME  reason" for each job.

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
images=${FUZZ_IMAGES:-1000}
image=${IMAGE:-}
SILENCE=60	# seconds for one image
MAX_FAILED=5	# number of failures after which a job ends
guests=$(($(nproc) < images ? $(nproc) : images))
OUT=$BUILD/fuzz${RUN:+-$RUN}
if [ -n "$image" ]; then image=$(realpath "$image") images=1 guests=1; fi

"$SCRIPTS/deps.sh" build tools
v=$("$SCRIPTS/uml-kernel.sh")
eval "$v"
MAKEFLAGS='' KVER='' KDIR=$UML_KDIR "$SCRIPTS/build-modules.sh" ARCH=um
MAKEFLAGS='' make -s -j"$(nproc)" -C "$TOP" fuzz-tools
fuzz=$BUILD/tools/fuzz/host

rm -rf "$OUT"
mkdir -p "$OUT"/{root/{proc,sys,dev,tmp,bases},failed}
cp "$BUILD/tools/fuzz/guest" "$OUT/root/init"
cp "$BUILD/$UML_RELEASE/msyncfs.ko" "$OUT/root/"
[ -z "$image" ] || cp "$image" "$OUT/root/image"

# All processes of a guest are in one session, so that one kill ends them.
guest=''
end_guest() {
	[ -z "$guest" ] || kill -9 -- "-$guest" 2>/dev/null || true
	guest=''
}
trap end_guest EXIT
trap 'exit 130' INT TERM

# start_guest CPU CONSOLE PARAMETER...: start a guest with the output in CONSOLE. Time in the
# guest is virtual: it stands still while the guest computes, and a sleep takes no time.
start_guest() {
	local cpu=$1 console=$2 pin=()
	shift 2
	# The kernel and the processes of a guest take turns. On one CPU this is faster.
	! taskset -c "$cpu" true 2>/dev/null || pin=(taskset -c "$cpu")
	# Without randomization of addresses, the memory of the guest is free in its process.
	TMPDIR=/dev/shm setsid setarch -R "${pin[@]}" "$UML_LINUX" mem=192M root=/dev/root rootfstype=hostfs \
		rootflags="$OUT/root" rw init=/init con=null con0=null,fd:1 stderr=1 panic=-1 \
		time-travel=inf-cpu time-travel-start=1700000000000000000 loglevel=5 \
		"$@" >"$console" 2>&1 </dev/null &
	guest=$!
}

# watch_guest CONSOLE: wait until the guest ends. End a guest that makes no progress.
watch_guest() {
	local size=-1 last=$SECONDS now
	while kill -0 "$guest" 2>/dev/null; do
		sleep 0.2
		now=$(stat -c %s "$1")
		if [ "$now" != "$size" ]; then
			size=$now last=$SECONDS
		elif [ $((SECONDS - last)) -ge $SILENCE ]; then
			echo "fuzz: hung" >>"$1"
			end_guest
		fi
	done
	wait "$guest" 2>/dev/null || true
	guest=''
}

# last_seed LOG: print the seed of the last image in a log
last_seed() { grep -a '^fuzz: seed ' "$1" | tail -n 1 | cut -d ' ' -f 3 | tr -d '\r'; }

# run_guest NUMBER FROM COUNT: run guests one after the other. A guest ends at a failure of
# the kernel, and the next guest goes on with the next image. Add all failures to
# failed/guestNUMBER.
run_guest() {
	local failed=$OUT/failed/guest$1 from=$2 end=$(($2 + $3)) n=0 console last
	trap end_guest EXIT
	: >"$failed"
	while [ "$from" -lt "$end" ] && [ "$(wc -l <"$failed")" -lt $MAX_FAILED ]; do
		console=$OUT/console-guest$1-$n n=$((n + 1))
		start_guest "$1" "$console" FROM="$from" COUNT=$((end - from)) ${image:+IMAGE=/image}
		watch_guest "$console"
		last=$(last_seed "$console")
		tr -d '\r' <"$console" | grep -a '^fuzz: not ok ' | cut -d ' ' -f 4- >>"$failed" || true
		! grep -aq '^fuzz: done' "$console" || break
		[ -n "$last" ] || { echo "$from  the guest does not start" >>"$failed"; break; }
		if grep -aq '^fuzz: hung' "$console"; then
			echo "$last  no progress for $SILENCE s" >>"$failed"
		elif ! grep -q "^$last " "$failed"; then
			echo "$last  $(grep -aE 'Kernel panic|BUG|Oops' "$console" | head -n 1 | grep . || echo "the guest died")" >>"$failed"
		fi
		from=$((last + 1))
	done
}

run_fsck() {
	local rc=0
	if [ -n "$image" ]; then
		"$fuzz" fsck "$image"
	else
		"$fuzz" fsck "$OUT/root/bases" "$1" "$2"
	fi >"$OUT/fsck" 2>&1 || rc=$?
	grep -a '^fuzz: not ok ' "$OUT/fsck" | cut -d ' ' -f 4- >"$OUT/failed/fsck" || true
	grep -q '^fuzz: done' "$OUT/fsck" || echo "$(last_seed "$OUT/fsck")  the program ended: $(tail -n 1 "$OUT/fsck")" >>"$OUT/failed/fsck"
}

say "making the base images"
start_guest 0 "$OUT/console-bases" BASES=1
watch_guest "$OUT/console-bases"
grep -aq '^fuzz: done' "$OUT/console-bases" ||
	die "no base images: $(grep -a 'not ok' "$OUT/console-bases" | head -n 1); see ${OUT#"$TOP"/}/console-bases"

say "${image:-$images images from seed $seed on}"
start=$EPOCHREALTIME
jobs=()
for ((i = 0; i < guests; i++)); do
	from=$((images * i / guests))
	run_guest "$i" $((seed + from)) $((images * (i + 1) / guests - from)) &
	jobs+=($!)
done
run_fsck "$seed" "$images" &
jobs+=($!)
trap 'trap - TERM; kill 0' INT TERM
done_of() { cat "$@" 2>/dev/null | grep -ac '^fuzz: seed ' || true; }
for ((t = 1; ; t++)); do
	for j in "${jobs[@]}"; do kill -0 "$j" 2>/dev/null && break; done || break
	sleep 0.2
	[ $((t % 25)) -ne 0 ] || say "  ... guest $(done_of "$OUT"/console-guest*), fsck $(done_of "$OUT/fsck") of $images images; $(cat "$OUT"/failed/{guest*,fsck} 2>/dev/null | wc -l) failed"
done
wait "${jobs[@]}" || true
rate=$(awk -v a="$start" -v b="$EPOCHREALTIME" -v n="$images" 'BEGIN { printf "%d", n * 60 / (b - a) }')

# Print each failure with the command that repeats it, and keep its image.
failed=0
names=(fsck)
for ((i = 0; i < guests; i++)); do names+=("guest$i"); done
for job in "${names[@]}"; do
	name=fuzz.$job
	if [ ! -e "$OUT/failed/$job" ]; then
		echo "not ok $name  broke"
	elif [ -s "$OUT/failed/$job" ]; then
		echo "not ok $name  $(wc -l <"$OUT/failed/$job") images, first: seed $(head -n 1 "$OUT/failed/$job")"
	else
		echo "ok $name"
	fi
	while read -r n why; do
		failed=$((failed + 1))
		echo "  FAIL  seed $n, $job: $why" >&2
		[ -z "$image" ] || continue
		"$fuzz" image "$OUT/root/bases" "$n" "$OUT/failed/$n.img" >"$OUT/failed/$n.txt" || true
		echo "        again: make fuzz FUZZ_SEED=$n FUZZ_IMAGES=1   (image and damage: ${OUT#"$TOP"/}/failed/$n.img, $n.txt)" >&2
	done <"$OUT/failed/$job"
done >"$OUT/results"
if grep -q '^not ok' "$OUT/results"; then
	echo "fuzz: FAILED ($failed failures in $images images, $rate images a minute)"
	exit 1
fi
echo "fuzz: $images images, $rate a minute: no failure"
