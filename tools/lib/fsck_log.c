// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks the tail slots and the log here, and replays the log. The replay
 * brings the filesystem to the state after the last durable record.
 */
#include "fsck.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int read_log(void *ctx, u64 pos, u32 nr, void *buf)
{
	struct fsck *fs = ctx;

	return device_read(&fs->dev, buf, (size_t)nr * BLK,
			   (fs->geo.log_start + pos) << MSYNCFS_BLOCK_SHIFT);
}

static int note_record(void *ctx, const struct msyncfs_disk_record *rec,
		       u64 pos)
{
	struct fsck *fs = ctx;
	u64 at = fs->geo.log_start + pos + le32_to_cpu(rec->header_blocks);
	u32 i, nr = le32_to_cpu(rec->nr_images);

	for (i = 0; i < nr; i++)
		umap_set(&fs->replay,
			 le64_to_cpu(rec->home[i]) & MSYNCFS_HOME_BLKNO, at + i);
	return 0;
}

/*
 * Find the slot in force, which is the valid slot with the larger counter. Copy
 * this slot to @slot. Returns false if no slot is valid. Sets *@lost if a slot
 * cannot be read. The unreadable slot may have been the slot in force, so the
 * caller must write it anew.
 */
static bool find_slot(struct fsck *fs, struct msyncfs_disk_slot *slot,
		      bool *lost)
{
	struct msyncfs_disk_slot s;
	bool any = false;
	unsigned int i;

	for (i = 0; i < MSYNCFS_NR_SLOTS; i++) {
		u64 pos = (u64)(MSYNCFS_SLOT_BLKNO + i) << MSYNCFS_BLOCK_SHIFT;

		if (device_read(&fs->dev, &s, sizeof(s), pos)) {
			if (!problem(fs, false, "go by the other one",
				     "Log: the tail slot in block %u cannot be read",
				     MSYNCFS_SLOT_BLKNO + i))
				fsck_die(fs, "cannot go on without the log");
			*lost = true;
			continue;
		}
		if (msyncfs_verify_slot(&fs->geo, &s) ||
		    le64_to_cpu(s.counter) % MSYNCFS_NR_SLOTS != i)
			continue;
		if (!any || le64_to_cpu(s.counter) > le64_to_cpu(slot->counter))
			*slot = s;
		any = true;
	}
	return any;
}

/*
 * Write a slot that says that the log is empty and that record @seq is the
 * next. A slot without a nonce says that the log need not be read.
 */
static void write_slot(struct fsck *fs, u64 counter, u64 seq)
{
	union {
		struct msyncfs_disk_slot slot;
		char block[BLK];
	} u = {};
	u64 blkno = MSYNCFS_SLOT_BLKNO + counter % MSYNCFS_NR_SLOTS;

	u.slot.counter = cpu_to_le64(counter);
	u.slot.tail_seq = cpu_to_le64(seq);
	u.slot.time = cpu_to_le64(time(NULL));
	msyncfs_seal_slot(&fs->geo, &u.slot);
	if (device_write(&fs->dev, &u, fs->dev.sector,
			 blkno << MSYNCFS_BLOCK_SHIFT) ||
	    device_sync(&fs->dev))
		fsck_die(fs, "cannot write the log tail");
}

/*
 * Give the log small numbers again. The new slot has a smaller counter than the slot in
 * force, so it counts only when the slot in force is gone.
 */
static void renumber(struct fsck *fs, u64 old)
{
	if (!problem(fs, true, "start again at 1",
		     "Log: its numbers are used up"))
		return;
	if (fs->mode == FSCK_NO)
		return;
	write_slot(fs, old % MSYNCFS_NR_SLOTS ? 2 : 1, 1);
	if (device_zero(&fs->dev, (MSYNCFS_SLOT_BLKNO + old % MSYNCFS_NR_SLOTS) <<
				  MSYNCFS_BLOCK_SHIFT, BLK) ||
	    device_sync(&fs->dev))
		fsck_die(fs, "cannot write the log tail");
}

/* Write the newest image of block @home home. Returns 0 or a negative errno. */
static int write_home(struct fsck *fs, u64 home)
{
	static char buf[BLK];

	if (blk_read(fs, home, buf))
		fsck_die(fs, "cannot read the log");
	return device_write(&fs->dev, buf, BLK, home << MSYNCFS_BLOCK_SHIFT);
}

/*
 * Write all images home. The caller writes a slot for an empty log only after
 * this, because the slot makes the images in the log unreadable. Returns false if
 * a home block cannot be written. Then the log must stay. The next mount would
 * write its images over all repairs, so nothing else can be repaired either.
 */
static bool write_homes(struct fsck *fs)
{
	u64 *homes = umap_keys(&fs->replay);
	size_t i, left = 0;
	int err = 0;

	for (i = 0; i < fs->replay.nr; i++)
		err = write_home(fs, homes[i]) ?: err;
	err = device_sync(&fs->dev) ?: err;
	/* The error does not name the block. So write each block once more. */
	for (i = 0; err && i < fs->replay.nr; i++) {
		if (!write_home(fs, homes[i]) && !device_sync(&fs->dev))
			continue;
		say(fs, "Block %llu cannot be written, so its newest content stays in the log\n",
		    homes[i]);
		left++;
	}
	free(homes);
	if (left) {
		say(fs, "The log is not empty: looking only\n");
		fs->left += left;
		fs->mode = FSCK_NO;
		return false;
	}
	umap_clear(&fs->replay);
	return true;
}

/*
 * Write zeros to the log blocks that cannot be read. No record needs these
 * blocks, because the log is empty now. With -n, only report the blocks.
 */
static void rewrite_unreadable(struct fsck *fs)
{
	u64 blkno = fs->geo.log_start, end = blkno + fs->geo.log_blocks;
	static char buf[BLK];

	for (; blkno < end; blkno++) {
		progress(fs, 0, blkno - fs->geo.log_start, fs->geo.log_blocks);
		if (!device_read(&fs->dev, buf, BLK,
				 blkno << MSYNCFS_BLOCK_SHIFT) ||
		    !problem(fs, true, "overwrite it with zeros",
			     "Log: block %llu cannot be read", blkno) ||
		    fs->mode == FSCK_NO)
			continue;
		if (device_zero(&fs->dev, blkno << MSYNCFS_BLOCK_SHIFT, BLK) ||
		    device_sync(&fs->dev))
			fsck_die(fs, "cannot write block %llu", blkno);
	}
}

static void replay_log(struct fsck *fs)
{
	struct msyncfs_log_reader r = {
		.geo = &fs->geo, .read = read_log, .ctx = fs,
	};
	struct msyncfs_disk_slot slot = {};
	struct msyncfs_log_end end;
	u64 records;
	bool discard = false, go_on = true;
	int err;

	umap_clear(&fs->replay);
	if (!find_slot(fs, &slot, &discard)) {
		if (!problem(fs, false, "discard the log",
			     "Log: none of the two tail slots is valid"))
			fsck_die(fs, "cannot go on without a log");
		if (fs->mode != FSCK_NO)
			write_slot(fs, 2, 1);
		return;
	}

	r.buf = fsck_alloc(MSYNCFS_SCAN_BLOCKS * BLK);
	r.header = fsck_alloc(msyncfs_record_header_blocks(fs->geo.record_images) *
			      BLK);
	err = msyncfs_log_scan(&r, &slot, note_record, &end);
	free(r.buf);
	free(r.header);

	if (err == -EUCLEAN)
		go_on = problem(fs, false, "discard it and all that follow it",
				"Log: record %llu in block %llu is damaged (%s), but it was durable",
				end.seq, fs->geo.log_start + end.pos,
				msyncfs_reject_name(end.why));
	else if (err)
		go_on = problem(fs, false, "discard what cannot be read",
				"Log: cannot be read (%s)", strerror(-err));
	if (!go_on)
		fsck_die(fs, "cannot go on without the log");
	discard |= !!err;

	records = end.seq - le64_to_cpu(slot.tail_seq);
	if (records)
		say(fs, "Log: %llu records, %zu blocks%s\n", records,
		    fs->replay.nr, fs->mode == FSCK_NO ?
		    " (not replayed: nothing may be written)" : " replayed");
	if (le64_to_cpu(slot.counter) > MSYNCFS_SEQ_MOUNT ||
	    end.seq > MSYNCFS_SEQ_MOUNT) {
		if (fs->mode != FSCK_NO && !write_homes(fs))
			return;
		renumber(fs, le64_to_cpu(slot.counter));
		return;
	}
	if ((!records && !discard) || fs->mode == FSCK_NO)
		return;
	if (write_homes(fs))
		write_slot(fs, le64_to_cpu(slot.counter) + 1, end.seq);
}

/*
 * Replay the log onto the device. With -n, only fill fs->replay, from which
 * blk_read() finds the newest images. Then check that all blocks of the log can
 * be read.
 */
void fsck_log(struct fsck *fs)
{
	replay_log(fs);
	rewrite_unreadable(fs);
}
