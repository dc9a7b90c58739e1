// SPDX-License-Identifier: GPL-2.0
/*
 * This file scans the log. The scan finds the good records and distinguishes
 * between damage and a torn tail, which a crash leaves. The scan reads the log
 * through a callback and allocates nothing. The recovery of the module,
 * fsck.msyncfs and the KUnit suites share this file. The caller of the scan
 * decides what to do with the records.
 *
 * A record is good only if its magic, UUID, nonce, sequence number, counts,
 * lengths, home blocks and checksum are all correct (R4). The first record that
 * is not good ends the log.
 *
 * A commit writes a record only when the previous record is durable. So a crash
 * leaves a bad record only at the end of the log, and this record was never
 * acknowledged. Each header has a durable_seq: all records up to this sequence
 * number were durable when the header was written. If a later good record has a
 * durable_seq that is not below the sequence number of the bad record, the bad
 * record was durable and has been damaged since. This needs only the header of
 * the later record to be good.
 *
 * A block that cannot be read counts as a block with wrong content, because a
 * crash during a write may make a sector unreadable. If such a block belongs to
 * no record, the scan only counts it: a later record will overwrite the block.
 */
#include "format.h"

#ifdef __KERNEL__
#include <kunit/visibility.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#endif

/**
 * msyncfs_reject_name() - return the name of a reason to reject a record
 * @why: reason from a scan of the log
 *
 * Context: any.
 * Return: a constant string, even if @why is not a value of the enum.
 */
const char *msyncfs_reject_name(enum msyncfs_reject why)
{
	static const char * const name[MSYNCFS_NR_REC] = {
		[MSYNCFS_REC_OK]	= "good record",
		[MSYNCFS_REC_MAGIC]	= "no record",
		[MSYNCFS_REC_UUID]	= "record of another filesystem",
		[MSYNCFS_REC_NONCE]	= "record of another mount",
		[MSYNCFS_REC_SEQ]	= "record out of sequence",
		[MSYNCFS_REC_OLD]	= "record of an old version",
		[MSYNCFS_REC_SHAPE]	= "impossible counts or lengths",
		[MSYNCFS_REC_HOME]	= "impossible home block",
		[MSYNCFS_REC_CSUM]	= "wrong checksum",
		[MSYNCFS_REC_IO]	= "cannot be read",
	};

	if ((unsigned int)why >= MSYNCFS_NR_REC)
		return "unknown reason";
	return name[why];
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_reject_name);

static u64 record_max(const struct msyncfs_geo *geo)
{
	return geo->log_blocks / MSYNCFS_RECORD_SHARE;
}

/* Return the number of blocks in a record: the header and the images. */
static u64 record_len(const struct msyncfs_disk_record *rec)
{
	u32 nr = le32_to_cpu(rec->nr_images);

	return (u64)msyncfs_record_header_blocks(nr) + nr;
}

static bool is_old(const struct msyncfs_disk_record *rec)
{
	return le32_to_cpu(rec->magic) == MSYNCFS_MAGIC_RECORD_V1;
}

static enum msyncfs_reject check_identity(const struct msyncfs_geo *geo,
					  const struct msyncfs_disk_record *rec,
					  u64 nonce)
{
	u32 magic = le32_to_cpu(rec->magic);

	if (magic != MSYNCFS_MAGIC_RECORD && magic != MSYNCFS_MAGIC_RECORD_V1)
		return MSYNCFS_REC_MAGIC;
	if (memcmp(rec->uuid, geo->uuid, sizeof(rec->uuid)))
		return MSYNCFS_REC_UUID;
	if (le64_to_cpu(rec->nonce) != nonce)
		return MSYNCFS_REC_NONCE;
	return MSYNCFS_REC_OK;
}

/*
 * Check the counts and lengths of a header before any read relies on these
 * values.
 */
static enum msyncfs_reject check_shape(const struct msyncfs_geo *geo,
				       const struct msyncfs_disk_record *rec,
				       u64 pos)
{
	u32 nr = le32_to_cpu(rec->nr_images);
	u64 len = record_len(rec);

	if (!nr || len > record_max(geo) || pos + len > geo->log_blocks)
		return MSYNCFS_REC_SHAPE;
	if (le32_to_cpu(rec->header_blocks) != msyncfs_record_header_blocks(nr))
		return MSYNCFS_REC_SHAPE;
	if (le64_to_cpu(rec->durable_seq) >= le64_to_cpu(rec->seq))
		return MSYNCFS_REC_SHAPE;
	if (le32_to_cpu(rec->csum_kind) >= MSYNCFS_CSUM_KINDS ||
	    memchr_inv(rec->reserved, 0, sizeof(rec->reserved)))
		return MSYNCFS_REC_SHAPE;
	return MSYNCFS_REC_OK;
}

static enum msyncfs_reject check_homes(const struct msyncfs_geo *geo,
				       const struct msyncfs_disk_record *rec)
{
	u32 nr = le32_to_cpu(rec->nr_images);
	u64 last = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 home = le64_to_cpu(rec->home[i]) & ~MSYNCFS_HOME_META;

		/*
		 * The mask clears only bit 63. If one of the bits 56 to 62 is
		 * set, the number is too large for a home block.
		 */
		if (home <= last || !msyncfs_is_home(geo, home))
			return MSYNCFS_REC_HOME;
		last = home;
	}
	return MSYNCFS_REC_OK;
}

/* Return true if a read error means that only this block cannot be read. */
static bool is_unreadable(int err)
{
	return err == -EIO || err == -ENODATA || err == -EILSEQ;
}

/*
 * Read @nr blocks into @buf. If the read fails, read the blocks one by one. An
 * unreadable block becomes zeros, which are no record. If @end is not NULL, count
 * the unreadable blocks there. Return 0, or the error of the last block that
 * could not be read. An error that is not the error of a single block ends the
 * function at once.
 */
static int read_blocks(struct msyncfs_log_reader *r, u64 pos, u64 nr, void *buf,
		       struct msyncfs_log_end *end)
{
	int err = r->read(r->ctx, pos, nr, buf), last = 0;

	if (!err)
		return 0;
	for (; nr; nr--, pos++, buf += MSYNCFS_BLOCK_SIZE) {
		err = r->read(r->ctx, pos, 1, buf);
		if (!err)
			continue;
		last = err;
		if (!is_unreadable(err))
			break;
		memset(buf, 0, MSYNCFS_BLOCK_SIZE);
		if (end && !end->unreadable++)
			end->unreadable_pos = pos;
	}
	return last;
}

/*
 * Read and check the header of @nr blocks at @pos. The caller has checked its
 * first block with check_shape().
 */
static enum msyncfs_reject check_header(struct msyncfs_log_reader *r, u64 pos,
					u32 nr)
{
	const struct msyncfs_geo *geo = r->geo;
	const struct msyncfs_disk_record *rec = r->header;
	size_t end;

	if (read_blocks(r, pos, nr, r->header, NULL))
		return MSYNCFS_REC_IO;
	/* The first block has been read a second time, so check it again. */
	if (check_shape(geo, rec, pos) || le32_to_cpu(rec->header_blocks) != nr)
		return MSYNCFS_REC_SHAPE;
	if (check_homes(geo, rec))
		return MSYNCFS_REC_HOME;

	end = msyncfs_record_used(le32_to_cpu(rec->nr_images));
	if (memchr_inv((const char *)r->header + end, 0,
		       (size_t)nr * MSYNCFS_BLOCK_SIZE - end))
		return MSYNCFS_REC_SHAPE;
	if (le64_to_cpu(rec->csum) !=
	    msyncfs_csum(rec, end, offsetof(struct msyncfs_disk_record, csum),
			 geo->seed) && !msyncfs_breaks(CHECKSUM))
		return MSYNCFS_REC_CSUM;
	return MSYNCFS_REC_OK;
}

/* Read and check the images of the record at @pos. Its header is good. */
static enum msyncfs_reject check_images(struct msyncfs_log_reader *r, u64 pos)
{
	const struct msyncfs_disk_record *rec = r->header;
	u32 nr = le32_to_cpu(rec->nr_images), i, part;
	const __le32 *csum = (const void *)((const char *)rec +
					    msyncfs_record_csums(nr));
	const char *image;

	pos += le32_to_cpu(rec->header_blocks);
	for (; nr; nr -= part, pos += part) {
		part = nr < MSYNCFS_SCAN_BLOCKS ? nr : MSYNCFS_SCAN_BLOCKS;
		if (read_blocks(r, pos, part, r->buf, NULL))
			return MSYNCFS_REC_IO;
		image = r->buf;
		for (i = 0; i < part; i++, image += MSYNCFS_BLOCK_SIZE)
			if (le32_to_cpu(*csum++) !=
			    msyncfs_image_csum(r->geo, le32_to_cpu(rec->csum_kind),
					       image) &&
			    !msyncfs_breaks(CHECKSUM))
				return MSYNCFS_REC_CSUM;
	}
	return MSYNCFS_REC_OK;
}

static enum msyncfs_reject check_at(struct msyncfs_log_reader *r, u64 nonce,
				    u64 seq, u64 pos)
{
	const struct msyncfs_disk_record *rec = r->buf;
	enum msyncfs_reject why;

	if (read_blocks(r, pos, 1, r->buf, NULL))
		return MSYNCFS_REC_IO;
	why = check_identity(r->geo, rec, nonce);
	if (why)
		return why;
	if (le64_to_cpu(rec->seq) != seq)
		return MSYNCFS_REC_SEQ;
	if (is_old(rec))
		return MSYNCFS_REC_OLD;
	why = check_shape(r->geo, rec, pos);
	if (why)
		return why;
	why = check_header(r, pos, le32_to_cpu(rec->header_blocks));
	return why ?: check_images(r, pos);
}

/**
 * msyncfs_log_next() - find the next record
 * @r: how to read the log
 * @nonce: nonce that the record must have
 * @seq: sequence number that the record must have
 * @pos: position at which the record starts, in blocks from log_start; may be
 *	log_blocks. If the record did not fit there, it starts at position 0
 * @found: set on success to the position of the record, @pos or 0
 *
 * Context: as @r->read requires.
 * Return: MSYNCFS_REC_OK with the header in @r->header, or the reason why no
 * such record was found. If both positions were checked, the function
 * returns the reason from the position at which more checks passed.
 */
enum msyncfs_reject msyncfs_log_next(struct msyncfs_log_reader *r,
				     u64 nonce, u64 seq, u64 pos, u64 *found)
{
	enum msyncfs_reject why = MSYNCFS_REC_MAGIC;
	enum msyncfs_reject other;

	if (pos < r->geo->log_blocks) {
		why = check_at(r, nonce, seq, pos);
		if (!why) {
			*found = pos;
			return MSYNCFS_REC_OK;
		}
		if (!pos)
			return why;
	}

	other = check_at(r, nonce, seq, 0);
	if (!other)
		*found = 0;
	/* A later check has a reason with a larger number. */
	return !other || other > why ? other : why;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_log_next);

/**
 * struct later - search for a record which proves that the bad record was
 * durable
 * @r: how to read the log
 * @nonce: nonce that the record must have
 * @seq: sequence number of the bad record
 * @budget: number of blocks that may still be read to check possible headers. A
 *	valid log needs one check. A crafted log may be full of headers with
 *	false lengths. Without this limit, the time to search such a log would
 *	grow with the square of its size
 * @end: counts the blocks that cannot be read
 */
struct later {
	struct msyncfs_log_reader	*r;
	struct msyncfs_log_end		*end;
	u64				nonce;
	u64				seq;
	u64				budget;
};

/*
 * Return true if the header @rec at @pos passes check_identity() and
 * check_shape() and says that the bad record was durable. If so, the caller
 * must check the rest of the header, too.
 */
static bool is_claim(const struct later *l,
		     const struct msyncfs_disk_record *rec, u64 pos)
{
	return !check_identity(l->r->geo, rec, l->nonce) &&
	       le64_to_cpu(rec->durable_seq) >= l->seq &&
	       (is_old(rec) || !check_shape(l->r->geo, rec, pos));
}

/*
 * Search blocks @from to @to (exclusive) of the log. Return 0 if no header
 * there proves that the bad record was durable. Return -EUCLEAN if a header
 * proves that the bad record was durable, or if such a header cannot be checked,
 * because the budget is too small or because of an unreadable block. Return a
 * read error if it is not the error of single blocks. If many blocks are
 * unreadable, the device has failed and may work again later, so return the
 * error of these blocks.
 */
static int find_later(struct later *l, u64 from, u64 to)
{
	struct msyncfs_log_reader *r = l->r;
	u64 chunk = record_max(r->geo), nr = 0, i = 0;
	enum msyncfs_reject why;
	u64 pos;
	int err;

	if (chunk > MSYNCFS_SCAN_BLOCKS)
		chunk = MSYNCFS_SCAN_BLOCKS;
	for (pos = from; pos < to; pos++, i++) {
		const struct msyncfs_disk_record *rec;
		u32 len;

		if (i == nr) {
			nr = min(to - pos, chunk);
			i = 0;
			err = read_blocks(r, pos, nr, r->buf, l->end);
			if (err && (!is_unreadable(err) ||
				    l->end->unreadable > chunk))
				return err;
		}
		rec = (const void *)((const char *)r->buf +
				     i * MSYNCFS_BLOCK_SIZE);
		if (!is_claim(l, rec, pos))
			continue;
		/* Only the old version can check its record. */
		if (is_old(rec))
			return -EUCLEAN;

		len = le32_to_cpu(rec->header_blocks);
		if (l->budget < len)
			return -EUCLEAN;
		why = check_header(r, pos, len);
		if (!why || why == MSYNCFS_REC_IO)
			return -EUCLEAN;
		l->budget -= len;
	}
	return 0;
}

/* Search the whole log except the @used blocks that start at position @tail. */
static int search_rest(struct later *l, u64 tail, u64 used)
{
	u64 log_blocks = l->r->geo->log_blocks;
	int err;

	if (tail + used >= log_blocks)
		return find_later(l, tail + used - log_blocks, tail);
	err = find_later(l, tail + used, log_blocks);
	if (!err)
		err = find_later(l, 0, tail);
	return err;
}

/* Return the position @len blocks after @pos, wrapped at the end of the log. */
static u64 next_pos(const struct msyncfs_geo *geo, u64 pos, u64 len)
{
	pos += len;
	return pos < geo->log_blocks ? pos : pos - geo->log_blocks;
}

/*
 * Walk the good records from position @tail. Set @end, and set *@used to the
 * number of blocks that the records take.
 */
static int walk_records(struct msyncfs_log_reader *r, u64 nonce, u64 tail,
			int (*apply)(void *ctx,
				     const struct msyncfs_disk_record *rec,
				     u64 pos),
			struct msyncfs_log_end *end, u64 *used)
{
	u64 log_blocks = r->geo->log_blocks, len, found;
	int err;

	for (end->pos = tail;; end->pos = next_pos(r->geo, tail, *used)) {
		end->why = msyncfs_log_next(r, nonce, end->seq, end->pos,
					    &found);
		if (end->why)
			return 0;
		len = record_len(r->header);
		if (found != end->pos)
			len += log_blocks - end->pos;	/* unused blocks */
		if (*used + len > log_blocks) {
			end->why = MSYNCFS_REC_SHAPE;	/* overlaps the tail */
			return 0;
		}
		err = apply(r->ctx, r->header, found);
		if (err)
			return err;
		*used += len;
		end->seq++;
	}
}

/**
 * msyncfs_log_scan() - walk the records of the log, starting at the tail
 * @r: how to read the log
 * @slot: the tail slot in force, verified
 * @apply: called with @r->ctx for every good record, in order. @rec is the
 *	header of the record in memory. @pos is the position of the record in
 *	the log. A negative return value ends the scan
 * @end: set to the end of the good records and to the reason for it
 *
 * After the last good record, the scan reads the rest of the log once. The rest
 * of the log shows whether the log has a torn tail or is damaged. @end is valid
 * on success and on -EUCLEAN. If the slot says that the log is empty, nothing is
 * read.
 *
 * Context: as @r->read and @apply require.
 * Return: 0 if the log ends as a crash or a clean unmount leaves it; -EUCLEAN
 * if the record with sequence number @end->seq was durable and is damaged now,
 * or if the slot is inconsistent; the error of the device if the log cannot be
 * read, or if @end->why is MSYNCFS_REC_IO but the block could be read later; the
 * error of @apply.
 */
int msyncfs_log_scan(struct msyncfs_log_reader *r,
		     const struct msyncfs_disk_slot *slot,
		     int (*apply)(void *ctx, const struct msyncfs_disk_record *rec,
				  u64 pos),
		     struct msyncfs_log_end *end)
{
	u64 tail = le64_to_cpu(slot->tail_pos), used = 0, pos;
	struct later later = {
		.r = r,
		.end = end,
		.nonce = le64_to_cpu(slot->nonce),
		.budget = r->geo->log_blocks / 2,
	};
	int err;

	*end = (struct msyncfs_log_end) {
		.seq = le64_to_cpu(slot->tail_seq),
		.why = MSYNCFS_REC_SHAPE,
	};
	if (tail >= r->geo->log_blocks || !end->seq)
		return -EUCLEAN;
	end->pos = tail;
	end->why = MSYNCFS_REC_MAGIC;
	if (!later.nonce)
		return 0;	/* the log is empty */

	err = walk_records(r, later.nonce, tail, apply, end, &used);
	if (err)
		return err;
	/* The log is not empty, but this version cannot replay it. */
	if (end->why == MSYNCFS_REC_OLD)
		return -EUCLEAN;
	later.seq = end->seq;
	err = search_rest(&later, tail, used);
	if (err || end->why != MSYNCFS_REC_IO)
		return err;
	/* The record may be good, if its blocks can be read now. */
	pos = end->pos;
	return msyncfs_log_next(r, later.nonce, end->seq, pos, &pos) ==
	       MSYNCFS_REC_IO ? 0 : -EIO;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_log_scan);
