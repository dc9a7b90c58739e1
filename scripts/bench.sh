#!/bin/bash
# make bench: run the same workloads on msyncfs and on other filesystems.
# Usage: [RUN=NAME] [FS="NAME..."] [SETUP=NAME] [PROFILE=1] bench.sh [WORKLOAD...]
#
# SETUP=fast     a disk in memory with a volatile cache and FUA. A command takes 20 us
# SETUP=slow     the same, but a command takes 1 ms
# SETUP=through  a disk in memory without a volatile cache. A command takes 20 us
# SETUP=virtio   a virtio disk with a volatile cache
#
# The guest has the stock kernel. Its clock counts instructions, one nanosecond each,
# except with SETUP=virtio; see Documentation/testing.rst. The command prints tables and
# writes bench.csv (microseconds), ratios.csv, commands.csv, phases.csv (microseconds),
# bench.svg and phases.svg to build/bench.
#
# With PROFILE=1, perf in the guest records the measured calls. The command prints the
# profiles and writes them to build/bench/profile-WORKLOAD-FILESYSTEM.

. "$(dirname "$0")/common.sh"

OUT=$BUILD/bench${RUN:+-$RUN} PROFILE=${PROFILE:-} SETUP=${SETUP:-fast}
vm=(-s 1 -m 2560 -t 3600 -q 900) rounds=1
case $SETUP in
fast | slow | through)
	export VM_ACCEL=tcg,thread=single
	icount=(-- -icount "shift=0,sleep=off" -cpu "max,-erms,-fsrm") ;;
virtio)
	vm=(-s 2 -m 1536 -t 7200 -q 900 -d "$OUT/disk.raw") rounds=3 icount=() ;;
*)	die "no such set-up: $SETUP; there are: fast slow through virtio" ;;
esac
# make bench-check runs a few rows as part of make test. It must not need packages that only
# the databases or the other filesystems need.
programs=(bench)
case " $* " in "  " | *" sqlite"* | *" lmdb"*) programs+=(db) ;; esac
groups=()
[ "${FS:-} ${#programs[@]}" = "msyncfs 1" ] || groups+=(bench)
case " $* " in *" phases-"*) groups+=(bench) ;; esac	# gnuplot
"$SCRIPTS/deps.sh" build tools qemu "${groups[@]}" ${PROFILE:+profile}
mkdir -p "$OUT"
rm -rf "$OUT"/{vm,bench.csv,ratios.csv,commands.csv,phases.csv,bench.svg,phases.svg,profile-*,disk.raw}
v=$("$SCRIPTS/stock-kernel.sh")
eval "$v"
KVER=$STOCK_RELEASE "$SCRIPTS/build-modules.sh"
make -s -C "$TOP" tools "${programs[@]/#/build/tools/bench/}" >&2
for p in "${programs[@]}"; do "$BUILD/tools/bench/$p" list; done >"$OUT/workloads"
for pages in 64 16384; do
	echo "wait-$pages|2|wait|longest wait of a store during msync of $pages pages|"
done >>"$OUT/workloads"
for pages in 1 8 64 512; do
	echo "phases-$pages|3|call|phases of an msync of $pages pages|"
done >>"$OUT/workloads"

# has FS: succeed if the kernel has the filesystem and this machine has its mkfs
has() {
	case $1 in raw | msyncfs) return ;; esac
	modprobe -d "$STOCK_MODROOT" -S "$STOCK_RELEASE" --show-depends "$1" >/dev/null 2>&1 ||
		{ say "without $1: the kernel does not have it"; return 1; }
	PATH=$PATH:/sbin:/usr/sbin command -v "mkfs.$1" >/dev/null ||
		{ say "without $1: there is no mkfs.$1"; return 1; }
}

rows=${*:-$(cut -d '|' -f 1 "$OUT/workloads" | tr '\n' ' ')}
filesystems='' mods='' progs=()
for fs in ${FS:-raw msyncfs ext4 xfs btrfs f2fs}; do
	has "$fs" || continue
	filesystems="$filesystems $fs"
	case $fs in raw | msyncfs) continue ;; esac
	mods="$mods $fs" progs+=(-p "mkfs.$fs")
done
seconds=0
for row in $rows; do
	s=$(awk -F '|' -v n="$row" '$1 == n { print $2 }' "$OUT/workloads")
	[ -n "$s" ] || die "no such workload: $row; there are: $(cut -d '|' -f 1 "$OUT/workloads" | xargs)"
	seconds=$((seconds + s))
done
[ -z "$PROFILE" ] || { progs+=(-p perf); seconds=$((seconds * 3)); }
seconds=$((40 + seconds * rounds * $(wc -w <<<"$filesystems") / 6))

adds=()
for p in "${programs[@]}"; do adds+=(-a "$BUILD/tools/bench/$p:bin/$p"); done
printf 'ROWS=%q ROUNDS=%q FILESYSTEMS=%q SETUP=%q PROFILE=%q\n' \
	"$rows" "$rounds" "$filesystems" "$SETUP" "$PROFILE" >"$OUT/env"
"$SCRIPTS/initramfs.sh" -o "$OUT/initramfs" -R "$STOCK_RELEASE" -K "$STOCK_MODROOT" \
	-m "null_blk virtio_blk virtio_pci crc32c_intel crc32_pclmul libcrc32c $mods" \
	-M "$BUILD/$STOCK_RELEASE/msyncfs.ko" "${progs[@]}" \
	-a "$BUILD/tools/mkfs.msyncfs:sbin/mkfs.msyncfs" "${adds[@]}" \
	-a "$SCRIPTS/bench-guest:run.sh" -a "$OUT/env:bench.env" \
	-a "$BUILD/tools/tests/storm:bin/storm" -a "$SCRIPTS/storm-guest:storm.sh"
say "$(wc -w <<<"$rows") workloads on$filesystems: about $(((seconds + 59) / 60)) min"
# progress: print the last finished figure
progress() {
	awk '$1 == "figure" { last = " " $2 " on " $3 } END { print "finished:" (last ? last : " nothing yet") }' \
		"$OUT/vm/channel.log"
}
[ "$SETUP" != virtio ] || truncate -s 1G "$OUT/disk.raw"
run_quietly "$OUT/vm.log" progress "$SCRIPTS/vm.sh" -n bench -o "$OUT/vm" -k "$STOCK_VMLINUZ" \
	-i "$OUT/initramfs" "${vm[@]}" "${icount[@]}"
rm -f "$OUT/disk.raw"

if [ -n "$PROFILE" ]; then
	awk -v out="$OUT" '$1 == "perf" {
		file = out "/profile-" $2 "-" $3
		if (!(file in seen)) print "\n==== " $2 " on " $3
		seen[file]
		sub(/^[^|]*[|]/, "")
		print
		print >file
	}' "$OUT/vm/channel.log"
	say "profiles: ${OUT#"$TOP"/}/profile-*"
	exit 0
fi

"$SCRIPTS/bench-report.py" "$OUT" "$rows" "$filesystems" "$SETUP"

if [[ $filesystems == *ext4* ]]; then
	gnuplot <<-EOF
		set terminal svg size 2400,700 background "white"
		set output "$OUT/bench.svg"
		set datafile separator ","
		set title "Time, ext4 = 1, log scale; lower is better"
		set style data histograms
		set style histogram clustered gap 1
		set style fill solid
		set boxwidth 0.9
		set logscale y 2
		set grid y
		set key outside top center horizontal
		set xtics rotate by -40
		set yrange [0.0625:32]
		plot for [fs in "${filesystems# }"] "$OUT/bench.csv" \
			using (column(fs) / column("ext4")):xtic(1) title fs
	EOF
fi
if [ -e "$OUT/phases.csv" ]; then
	gnuplot <<-EOF
		set terminal svg size 800,400 background "white"
		set output "$OUT/phases.svg"
		set datafile separator ","
		set title "Phases of an msync, in % of its time"
		set xlabel "dirty pages: time of the call"
		set style data histograms
		set style histogram rowstacked
		set style fill solid
		set boxwidth 0.6
		set grid y
		set yrange [0:100]
		set key outside right top invert
		set format y "%.0f %%"
		plot for [i = 2:5] "$OUT/phases.csv" using (100 * column(i) / column("whole")):xtic(1) title columnheader(i)
	EOF
fi
say "results: $(cd "$OUT" && echo ./*.csv ./*.svg | sed "s|\./|${OUT#"$TOP"/}/|g")"
