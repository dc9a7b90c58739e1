#!/bin/bash
# Run fsck.msyncfs on images with deliberate damage. fsck.msyncfs -n must report
# the damage and change nothing. fsck.msyncfs -y must repair the damage, and the
# next run must find nothing.
# Usage: fsck-selftest.sh [-v] [DAMAGE...]
# A second time, the programs have a weak hash, so that many names of a directory have the
# same hash; these damages are called weak.DAMAGE.
# The cases mkfs_* test the arguments of mkfs.msyncfs, the case mmp tests the multi-mount
# protection, the case progress what fsck.msyncfs shows, the case backup_found how it finds
# the backup of the superblock, the case large how much it needs on a large device, and the case image
# msyncfs-image. fsck.msyncfs must say the same of an image of each damage.
# Run "make tools" first. The last line of the output is the verdict. With -v the
# script prints "ok DAMAGE" or "not ok DAMAGE  reason" for each damage.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=$PWD/build/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
image=$work/image
passed=0 failed=0 verbose=
[ "${1:-}" != -v ] || { verbose=1; shift; }

# The text that the report must contain for each damage.
declare -A text=(
	[super]='Superblock: wrong checksum.* backup in block 4095' [backup]='Backup of the superblock'
	[slots]='none of the two tail slots' [log_damaged]='record 2 in block .*wrong checksum'
	[root_block]='Root block' [root_inode]='Root directory .* wrong magic'
	[inode_csum]='/file.: wrong checksum' [inode_dead]='"x" .*wrong magic'
	[inode_fields]='outside the data area|out of range'
	[links]='/file.: says 7 links, has 1' [dir_links]='/a.: says 2 links, has 3'
	[file_blocks]='says 3 blocks, has 602' [map_csum]='map of inode .*checksum'
	[map_dead]='map of inode .*wrong magic' [map_level]='another level'
	[shared_block]='belongs to something else already'
	[shared_inode]='belongs to something else' [beyond]='behind its end, from index 500'
	[entry_inode]='remove the entry|Remove the entry' [entry_type]='wrong type of file'
	[entry_dir]='second name of directory' [entry_hash]='wrong hash of a name'
	[entry_dot]='illegal name in a directory' [entry_twice]='another entry with this name'
	[inode_flags]='/file.: impossible flags'
	[rest_csum]='"longlink" .*wrong checksum' [rest_short]='"longlink" .*shorter than its size'
	[rest_shared]='"longlink2" .*belongs to another owner'
	[rest_needless]='"symlink" .*does not fit its blocks'
	[deepest_csum]='/same.*wrong checksum'
	[entry_zero]='inode 0: outside the data area' [orphan_dir]='is no file and has links'
	[orphan_lost]='file in use, but in no directory' [file_size]='impossible size of a file'
	[slot_max]='its numbers are used up'
	[parent]='says its parent is' [leaf_csum]='/many.*wrong checksum'
	[leaf_dead]='/many.*wrong magic' [leaf_missing]='a block is missing'
	[leaf_place]="another one's place|Directory" [dir_size]='bytes, has'
	[dir_entries]='says 5 entries, has 10000' [dir_depth]='says 0 levels'
	[lost_file]='file in use, but in no directory'
	[lost_tree]='directory in use, but in no directory'
	[ring]='directory in use, but in no directory'
	[dir_tower]='belongs to something else already'
	[orphan_bad]='Orphan list: .* wrong checksum' [orphan_twice]='is on it twice'
	[orphan_named]='has a name' [bitmap_csum]='Bitmap of group 0'
	[root_and_bitmap]='file in use, but in no directory'
	[bitmap_leak]='2 blocks are marked in use, but belong to nothing'
	[bitmap_free]='1 blocks are in use, but marked free'
	[inodes_csum]='Inode bitmap of group 0 .*wrong checksum'
	[inodes_missing]='Inode bitmap of group 0 .* 1 inodes are not marked, 0 blocks'
	[inodes_wrong]='Inode bitmap of group 0 .* 0 inodes are not marked, 2 blocks'
	[attr_csum]='/attrs.: attribute user.large: wrong checksum'
	[attr_shared]='/attrs2.: attribute user.large: .*another owner'
	[attr_same]='/attrs.: attribute trusted.big: a block of it belongs to something else'
	[attr_order]='/attrs.: attribute user.large: another part'
	[attr_log]='/attrs.: value of an attribute is outside'
	[attr_bitmap]='attributes of inode .*/attrs.: value of an attribute is outside'
	[attr_length]='/attrs.: value of an attribute is too long'
	[attr_end]='attributes of inode .*/attrs.: (illegal name|attribute crosses)'
	[attr_twice]='attributes of inode .*/attrs.: attribute exists twice'
	[attr_both]='/attrs.: attribute user.small: exists twice'
	[outer_csum]='attributes of inode .*/attrs.: wrong checksum'
	[outer_dead]='attributes of inode .*/attrs.: wrong magic'
	[outer_empty]='attributes of inode .*/attrs.: block of attributes without'
	[outer_log]='/attrs.: block of attributes is outside'
	[outer_shared]='attributes of inode .*/attrs2.: .*another owner'
	[attr_count]='/apipe.: says 7 blocks, has 4'
	[attr_count_dir]='/adir.: says 1 blocks, has 4'
	[attr_acl]='attributes of inode .*/adir.: damaged ACL'
	[attr_long_acl]='/adir.: attribute system.posix_acl_access: damaged ACL'
	[attr_anew]='/adir., block .*wrong magic'
)
# An inode that may have lost its access ACL must not keep the rights of its group.
declare -A narrow=([attr_long_acl]=adir [outer_dead]=attrs [attr_end]=attrs)
# A crash can leave these states, so fsck.msyncfs must not report damage.
declare -A normal=([log_good]=1 [log_torn]=1 [entry_number]=1)

# fsck WANT OPTION...: run fsck.msyncfs and fail unless its exit status is WANT
fsck() {
	local want=$1 rc=0
	shift
	timeout 60 "$dir/fsck.msyncfs" "$@" "$image" >"$work/out" 2>&1 </dev/null || rc=$?
	[ "$rc" -eq "$want" ] && return
	echo "    fsck.msyncfs $*: exit status $rc, not $want"
	return 1
}

# check DAMAGE; FILLED is the image to damage, and DIR has the programs
check() {
	local damage=$1 seen=4 done=1
	cp "$filled" "$image" &&
		"$dir/tests/fsck-image" break "$image" "$damage" || return 1
	if [ -n "${normal[$damage]:-}" ]; then
		seen=0 done=0
	elif [ -z "${text[$damage]:-}" ]; then
		echo "    no text to look for"
		return 1
	fi
	cp "$image" "$work/before"
	fsck "$seen" -n || return 1
	cmp -s "$image" "$work/before" || { echo "    -n has changed the image"; return 1; }
	if [ "$seen" = 4 ] && ! grep -qE -- "${text[$damage]}" "$work/out"; then
		echo "    does not say: ${text[$damage]}"
		return 1
	fi
	same_verdict "$seen" || return 1
	# fsck.msyncfs prints the number of an inode in an entry that is good otherwise.
	[[ $damage = *leaf_csum || $damage = deepest_csum ]] || ! grep -aq 'rotten' "$work/dump" || { echo "    the image shows the damage"; return 1; }
	fsck "$done" -y && fsck 0 -n && fsck 0 -p || return 1
	[ -z "${narrow[$damage]:-}" ] || narrowed "${narrow[$damage]}"
}

# same_verdict SEEN [OPTION]: fsck.msyncfs -n, which has just run with the exit status SEEN, must
# say the same of the image of msyncfs-image, except for names
same_verdict() {
	local seen=$1 dump=$work/dump rc=0
	shift
	rm -f "$dump"
	timeout 60 "$dir/msyncfs-image" "$@" "$image" "$dump" >"$work/dumped" 2>&1 </dev/null || {
		echo "    msyncfs-image: $(cat "$work/dumped")"
		return 1
	}
	timeout 60 "$dir/fsck.msyncfs" -n "$dump" >"$work/out2" 2>&1 </dev/null || rc=$?
	[ "$rc" -eq "$seen" ] || { echo "    fsck.msyncfs of the dump: exit status $rc, not $seen"; return 1; }
	diff -a <(plain "$image" "$work/out") <(plain "$dump" "$work/out2") >"$work/diff" && return
	echo "    fsck.msyncfs of the dump says: $(tr '\n' ' ' <"$work/diff")"
	return 1
}

# plain IMAGE REPORT: a report of fsck.msyncfs without names
plain() {
	LC_ALL=C sed "s|^$1|image|; s/ (\/[^)]*)//g; s/Entry \"[^\"]*\"/Entry/; s/\(attribute [a-z]*\.\)[^:]*/\1NAME/g" "$2"
}

# narrowed PATH: the mode of the inode had rights of the group, and has none any more
narrowed() {
	local before after
	before=$("$dir/tests/fsck-image" mode "$filled" "$1" 2>&1)
	after=$("$dir/tests/fsck-image" mode "$image" "$1" 2>&1)
	[ $((0$before & 070)) -ne 0 ] && [ $((0$after)) -eq $((0$before & ~070)) ] ||
		{ echo "    $1: mode $before has become $after"; return 1; }
}

for dir in "$bin" "$bin/weak"; do
	filled=$work/filled.${dir##*/}
	truncate -s 16M "$filled" && "$bin/mkfs.msyncfs" -q "$filled" &&
		"$dir/tests/fsck-image" fill "$filled" || exit 1
done

undamaged() {
	cp "$filled" "$image" && fsck 0 -n && fsck 0 -p && fsck 0 -n
}

# makes BLOCKS ARGUMENT...: mkfs.msyncfs must make a filesystem of this size
makes() {
	local blocks=$1
	shift
	"$bin/mkfs.msyncfs" "$@" >"$work/out" 2>&1 || { echo "    mkfs.msyncfs $*: fails"; return 1; }
	grep -q " $blocks blocks of 4 KiB" "$work/out" ||
		{ echo "    mkfs.msyncfs $*: not $blocks blocks"; return 1; }
	fsck 0 -n
}

# refuses TEXT ARGUMENT...: mkfs.msyncfs must fail, say TEXT and change nothing
refuses() {
	local text=$1
	shift
	cp "$image" "$work/before"
	if "$bin/mkfs.msyncfs" "$@" >"$work/out" 2>&1 || ! grep -q -- "$text" "$work/out"; then
		echo "    mkfs.msyncfs $*: does not say: $text"
		return 1
	fi
	cmp -s "$image" "$work/before" || { echo "    mkfs.msyncfs $*: has changed the image"; return 1; }
}

mkfs_size() {
	local tail=16773120	# the last block of an image of 16 MiB
	rm -f "$image"
	truncate -s 16M "$image"
	makes 4096 "$image" && makes 2048 -f "$image" 2048 && makes 2048 -f "$image" 8192k &&
		makes 3072 -f "$image" 12M && makes 4096 "$image" 4096 -f &&
		makes 4096 -fb 4096 "$image" && makes 4096 -f -b 4k "$image" || return 1
	refuses 'has only 16.* MiB' -f "$image" 4097 && refuses 'has only' -f "$image" 1T &&
		refuses 'no room for data' -f "$image" 256 && refuses 'not a size' -f "$image" 12X &&
		refuses 'not a size' -f "$image" 0 && refuses 'not a size' -f "$image" 99999999T &&
		refuses '^Usage' -f "$image" 4096 1 && refuses '4096 bytes, not 1024' -f -b 1024 "$image" &&
		refuses '4096 bytes, not x' -f -b x "$image" || return 1
	# The old backup in the last block must go, and what else is behind must stay.
	printf behind | dd of="$image" bs=1 seek=$((tail - 4096)) conv=notrunc status=none
	makes 2048 -f "$image" 2048 || return 1
	cmp -s -n 4096 -i "$tail:0" "$image" /dev/zero || { echo "    an old backup is left"; return 1; }
	[ "$(dd if="$image" bs=1 skip=$((tail - 4096)) count=6 status=none)" = behind ] ||
		{ echo "    data behind the filesystem is lost"; return 1; }
}

mkfs_uuid() {
	local uuid=c1b9d5a2-f162-4c6c-8d1b-6f3f6e5a7c11
	rm -f "$image"
	truncate -s 16M "$image"
	cp "$image" "$work/before"
	"$bin/mkfs.msyncfs" -n -U $uuid "$image" >"$work/out" && grep -q "  uuid *$uuid$" "$work/out" &&
		cmp -s "$image" "$work/before" || { echo "    the dry run is wrong"; return 1; }
	makes 4096 -U $uuid "$image" && "$bin/msyncfs_id" "$image" | grep -qx "ID_FS_UUID=$uuid" || return 1
	refuses 'holds an msyncfs' -n "$image" && refuses 'not a UUID' -f -U ${uuid}1 "$image" &&
		refuses 'not a UUID' -f -U "${uuid%1}" "$image" && refuses 'not a UUID' -f -U '' "$image" &&
		refuses 'not a UUID' -f -U "${uuid/a/ }" "$image" && refuses 'not a UUID' -f -U "${uuid/-/+}" "$image"
}

# The time of fsck.msyncfs depends on what is in use, not on the size of the device.
dir_tower() {
	rm -f "$image"
	truncate -s 8G "$image" && "$bin/mkfs.msyncfs" -q "$image" &&
		"$bin/tests/fsck-image" fill "$image" &&
		"$bin/tests/fsck-image" break "$image" dir_tower && fsck 4 -n && fsck 1 -y && fsck 0 -n
}

# On a large device mkfs.msyncfs and fsck.msyncfs need little time and memory, because they
# look only at the bitmap blocks of groups without files.
large() (
	rm -f "$image"
	truncate -s 4T "$image"
	ulimit -v 32768 -t 5
	"$bin/mkfs.msyncfs" -q "$image" && "$bin/tests/fsck-image" fill "$image" && fsck 0 -y && fsck 0 -n &&
		"$bin/tests/fsck-image" break "$image" bitmap_leak && fsck 4 -n && fsck 1 -p && fsck 0 -n
)

# says TEXT: fail unless the last run of fsck.msyncfs has said TEXT
says() { grep -q -- "$1" "$work/out" || { echo "    fsck.msyncfs does not say: $1"; return 1; }; }

# other SEQ: another machine writes the block of the multi-mount protection
other() { "$bin/tests/fsck-mmp" "$image" "$1"; }

mmp() {
	rm -f "$image"
	truncate -s 16M "$image"
	refuses 'unknown feature: mpp' -O mmp,mpp "$image" && makes 4096 -O mmp,^mmp "$image" || return 1
	! grep mmp "$work/out" && makes 4096 -f -O ^mmp,mmp "$image" && "$bin/tests/fsck-image" fill "$image" || return 1
	# Nobody uses the filesystem: there is no wait for a heartbeat.
	other 0 && fsck 0 -n && fsck 0 -y && ! says waiting >"$work/ignored" || return 1
	# A machine or a fsck.msyncfs has crashed.
	other 7 && cp "$image" "$work/before" && fsck 0 -n && says 'waiting for 2200 ms' || return 1
	cmp -s "$image" "$work/before" || { echo "    -n has changed the image"; return 1; }
	fsck 0 -y && says waiting && fsck 0 -n && ! says waiting >"$work/ignored" || return 1
	other fsck && fsck 0 -y && says waiting && fsck 0 -n || return 1
	# The block is damaged: only a person knows that nobody uses the filesystem.
	other damaged && fsck 4 -n && says 'Multi-mount protection (block .*no multi-mount' &&
		fsck 4 -p && fsck 1 -y && fsck 0 -n || return 1
	# Another machine lives. Nothing may be written.
	other 8 && cp "$image" "$work/before" && other 7 || return 1
	{ sleep 1 && other 8; } &
	fsck 8 -y && says 'in use on another machine: node other-machine, device sdz, last heartbeat' || return 1
	wait
	cmp -s "$image" "$work/before" || { echo "    fsck.msyncfs -y has changed the image"; return 1; }
	# While fsck.msyncfs waits for an answer, its heartbeats keep others away.
	other 0 && "$bin/tests/fsck-image" break "$image" links || return 1
	sleep 6 | script -qc "$bin/fsck.msyncfs $image" /dev/null >"$work/asks" 2>&1 &
	sleep 2
	fsck 8 -n && says "in use on another machine: node $(uname -n)" || return 1
	wait
}

# The progress: numbers for a program, a line on a terminal when the run takes long, and
# otherwise nothing. The summary tells what was repaired.
progress() {
	local numbers=$work/numbers start
	cp "$filled" "$image" && "$bin/tests/fsck-image" break "$image" links || return 1
	fsck 4 -n && ! grep -q % "$work/out" || { echo "    shows its progress in a file"; return 1; }
	fsck 4 -n -C 3 3>"$numbers" || return 1
	awk -v image="$image" '$1 < pass || $2 > $3 || $4 != image || NF != 4 { exit 1 } { pass = $1 }
		END { exit pass != 5 || $2 != $3 }' "$numbers" || { echo "    wrong numbers: $(tail -n 1 "$numbers")"; return 1; }
	fsck 16 -n -C 4 4>&- && fsck 16 -C "$image" && fsck 4 -C0 -n && ! says % >"$work/ignored" || return 1
	script -qc "$bin/fsck.msyncfs -C0 -n $image" /dev/null >"$work/out" </dev/null; says 'pass [0-5] of 5, .*%' || return 1
	# The reader of the numbers has gone, or does not read.
	{ sleep 0.3; fsck 4 -n -C 3; } 3> >(exec true) || return 1
	{ head -c 64k /dev/zero >&3; start=$SECONDS; fsck 4 -n -C 3; } 3> >(exec sleep 20 >"$work/ignored") &&
		[ $((SECONDS - start)) -lt 15 ] || { echo "    waits for the reader"; return 1; }
	script -qc "$bin/fsck.msyncfs -n $image" /dev/null >"$work/out" </dev/null && ! says 'pass [0-5] of 5' >"$work/ignored" || return 1
	fsck 1 -p && says "^$image: Inode .*says 7 links" &&
		says '[0-9]/4096 blocks used, [0-9]* free: 1 problems repaired (Inode 1)$' || return 1
	# The wait for another machine takes longer than two seconds.
	truncate -s 0 "$image" && truncate -s 16M "$image" && makes 4096 -O mmp "$image" && other 7 || return 1
	script -qc "$bin/fsck.msyncfs -n $image" /dev/null >"$work/out" </dev/null
	says waiting && says 'pass [0-5] of 5, .*%'
}

# zero FIRST COUNT: write zeros to COUNT blocks of the image
zero() { dd if=/dev/zero of="$image" bs=4096 seek="$1" count="$2" conv=notrunc status=none; }

# write OFFSET TEXT: write TEXT, as printf prints it, to the image
write() { printf '%b' "$2" | dd of="$image" bs=1 seek="$1" conv=notrunc status=none; }

# remade SIZE...: make one filesystem after the other on the image; fill the last
remade() {
	local size
	rm -f "$image"
	truncate -s 256M "$image"
	for size; do
		"$bin/mkfs.msyncfs" -qf -l 1M "$image" "$size" || return 1
		sleep 1.1	# the newest backup counts
	done
	"$bin/tests/fsck-image" fill "$image"
}

# The backup of the superblock is found without an option, also if it is not in the last
# block of the device.
backup_found() {
	local filesystem
	# In the last group; what is restored is the old superblock.
	remade 200M && cp "$image" "$work/before" && zero 0 1 && fsck 4 -n && says 'backup in block 51199' &&
		fsck 1 -p && cmp -s -n 4096 "$image" "$work/before" && fsck 0 -n || return 1
	# A backup of an earlier filesystem does not count.
	for filesystem in '100M 200M' '200M 100M' '240M 200M'; do
		# shellcheck disable=SC2086
		remade $filesystem && cp "$image" "$work/before" && zero 0 1 && fsck 1 -y &&
			cmp -s -n 4096 "$image" "$work/before" || return 1
		# Too little is left of the filesystem.
		zero 0 6 && fsck 8 -p && fsck 8 -n && fsck 8 -y && says 'nothing on the device fits the backup' || return 1
	done
	# Block 0 belongs to something else now, of which it may have a part only: only a person knows.
	remade 100M && zero 0 1 && write 100 other && fsck 4 -p && zero 0 1 && write 4086 SWAPSPACE2 && fsck 4 -p && fsck 1 -y &&
		zero 0 1 && write 32768 '\001CD001\001' && fsck 4 -p && says 'holds iso9660' && zero 8 1 && fsck 1 -p || return 1
	# The root block seems to be another one's, and later the bitmap of the last group is.
	zero 0 1 && dd if="$filled" of="$image" bs=4096 skip=3 seek=3 count=1 conv=notrunc status=none &&
		fsck 4 -p && fsck 1 -y && fsck 0 -n && zero 0 1 &&
		dd if="$filled" of="$image" bs=4096 skip=4 seek=4 count=1 conv=notrunc status=none && fsck 8 -y || return 1
	# A larger filesystem has left its backup in the last block of the device.
	remade 256M && tail -c 4096 "$image" >"$work/last" && remade 100M &&
		dd if="$work/last" of="$image" bs=4096 seek=65535 conv=notrunc status=none && cp "$image" "$work/before" &&
		zero 0 1 && fsck 1 -p && cmp -s -n 4096 "$image" "$work/before" || return 1
	# Without a bitmap in the middle only the whole device tells.
	rm -f "$image"
	truncate -s 512M "$image" && "$bin/mkfs.msyncfs" -qf -l 1M "$image" 500M && zero 0 1 && zero 6 1 &&
		fsck 8 -p && fsck 4 -n && says 'looking for' && fsck 1 -y && fsck 0 -n || return 1
	# The superblock is good, but the device is too small for it.
	remade 200M && truncate -s 190M "$image" && fsck 8 -y && says 'larger than the device' &&
		{ ! says 'looking for' >"$work/ignored" || return 1; }
	# There never was a filesystem.
	truncate -s 0 "$image" && truncate -s 1T "$image" && fsck 8 -y && says 'no backup'
}

# hides: the header of a record that is torn or damaged may have the bytes of older data
hides() {
	local offset
	cp "$image" "$work/before"
	for offset in 10,200 10,500 8,96 8,104 8,72 8,300; do
		cp "$work/before" "$image" && write $((${offset%,*} * 4096 + ${offset#*,})) 'secret data' || return 1
		if [ "${offset%,*}" = 8 ]; then
			fsck 4 -n && says 'record 2 in block 8' && same_verdict 4 || return 1
		else
			fsck 0 -n && same_verdict 0 || return 1
		fi
		! grep -aq 'secret' "$work/dump" || { echo "    the image shows the log at $offset"; return 1; }
	done
	cp "$work/before" "$image"
}

# hides_damage: a damaged block of metadata may have the bytes of something else
hides_damage() {
	local root offset
	root=$(($("$bin/fsck.msyncfs" -nv "$image" | sed -n 's/^Log of \([0-9]*\) blocks/\1/p') + 6))
	cp "$image" "$work/before"
	for offset in 3,40 3,64 3,72 3,500 4,999 5,999 "$root,40" "$root,4088"; do
		# It may be a pointer past the end, so the highest byte is zero.
		cp "$work/before" "$image" && write $((${offset%,*} * 4096 + ${offset#*,})) 'secretX\0' || return 1
		fsck 4 -n && same_verdict 4 || return 1
		! grep -aq 'secret' "$work/dump" || { echo "    the image shows the damage at $offset"; return 1; }
	done
	cp "$work/before" "$image"
}

# The image of msyncfs-image has no data and no names, and is small. What was in the blocks
# of files and of the log before mkfs.msyncfs stands for the data.
image() {
	local dump=$work/dump
	yes 'secret data' | head -c 16M >"$image"
	"$bin/mkfs.msyncfs" -q -f -L secretlabel "$image" && "$bin/tests/fsck-image" fill "$image" &&
		"$bin/tests/fsck-image" break "$image" log_torn && fsck 0 -n && same_verdict 0 || return 1
	! grep -aqE 'secret|large directory|longlink|symlink|some.where|capability' "$dump" ||
		{ echo "    the image shows: $(grep -aoE 'secret|large directory|longlink|symlink|some.where|capability' "$dump" | sort | uniq -c | tr '\n' ' ')"; return 1; }
	[ $(($(du -k "$dump" | cut -f 1) * 3)) -lt "$(du -k "$image" | cut -f 1)" ] || { echo "    the image is large"; return 1; }
	hides && hides_damage || return 1
	# Without the bitmap of the group, the checks read each block.
	"$bin/tests/fsck-image" break "$image" bitmap_csum && "$bin/tests/fsck-image" break "$image" leaf_csum &&
		fsck 4 -n && same_verdict 4 || return 1
	! grep -aq secret "$dump" || { echo "    the image shows data"; return 1; }
	cp "$filled" "$image" && fsck 0 -n && same_verdict 0 || return 1
	# Two images of a filesystem have different names.
	mv "$dump" "$dump.1" && same_verdict 0 && ! cmp -s "$dump" "$dump.1" || { echo "    the names have no random key"; return 1; }
	! "$bin/msyncfs-image" "$image" "$dump" 2>"$work/ignored" || { echo "    overwrites a file"; return 1; }
	same_verdict 0 -n && grep -aq longlink "$dump" && ! grep -aq 'secret data' "$dump" ||
		{ echo "    -n does not keep the names"; return 1; }
	rm -f "$dump"*
}

# The superblock of a newer version is not damaged, and stays.
newer() {
	cp "$filled" "$image" && "$dir/tests/fsck-image" break "$image" newer && cp "$image" "$work/before" &&
		fsck 8 -n && ! grep -q damaged "$work/out" && fsck 8 -p && fsck 8 -y &&
		says 'unknown incompatible features 0x10000000000' && cmp "$image" "$work/before"
}

# Test every kind of damage that fsck-image or this script lists.  If only one of the two
# lists a kind, the test of that kind fails.
if [ $# -eq 0 ]; then
	mapfile -t list < <({ "$bin/tests/fsck-image" list
		printf '%s\n' "${!text[@]}" "${!normal[@]}"; } | sort -u)
	list+=(undamaged)
	set -- mkfs_size mkfs_uuid mmp progress backup_found large image "${list[@]}" "${list[@]/#/weak.}"
fi
for damage; do
	dir=$bin
	[ "$damage" = "${damage#weak.}" ] || dir=$bin/weak
	filled=$work/filled.${dir##*/}
	if why=$(case $damage in
			mkfs_size | mkfs_uuid | mmp | progress | backup_found | large | image) "$damage" ;;
			*undamaged) undamaged ;;
			*newer) newer ;;
			dir_tower) check dir_tower && dir_tower ;;
			*) check "${damage#weak.}" ;;
		esac); then
		passed=$((passed + 1))
		[ -z "$verbose" ] || echo "ok $damage"
	else
		failed=$((failed + 1))
		[ -z "$verbose" ] || echo "not ok $damage  ${why#    }" | head -n 1
		echo "FAILED $damage"
		echo "$why"
		sed 's/^/    | /' "$work/out" | head -n 20
	fi
done
echo "fsck: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
