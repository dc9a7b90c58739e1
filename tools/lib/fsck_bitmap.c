// SPDX-License-Identifier: GPL-2.0
/*
 * fsck has its bitmaps here: sets of blocks, and the bitmaps of the filesystem, which it
 * compares with the blocks that have an owner. Most groups of a large filesystem are empty,
 * so a set has memory only for groups with blocks, and no loop looks at the bits of the
 * others.
 */
#include "fsck.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS_SHOWN	8	/* a message shows at most 8 runs of blocks */

/* Make an empty set. */
struct bits *bits_new(u64 groups)
{
	struct bits *s = fsck_alloc(sizeof(*s));

	s->group = fsck_alloc(groups * sizeof(*s->group));
	s->groups = groups;
	return s;
}

void bits_free(struct bits *s)
{
	u64 g;

	for (g = 0; s && g < s->groups; g++)
		free(s->group[g]);
	if (s)
		free(s->group);
	free(s);
}

bool bit_test(const struct bits *s, u64 nr)
{
	const u8 *bits = s->group[nr / MSYNCFS_GROUP_BLOCKS];
	unsigned int i = nr % MSYNCFS_GROUP_BLOCKS;

	return bits && bits[i / 8] & 1U << i % 8;
}

void bit_set(struct bits *s, u64 nr)
{
	u8 **bits = &s->group[nr / MSYNCFS_GROUP_BLOCKS];
	unsigned int i = nr % MSYNCFS_GROUP_BLOCKS;

	if (!*bits)
		*bits = fsck_alloc(BITS_BYTES);
	(*bits)[i / 8] |= 1U << i % 8;
}

void bit_clear(struct bits *s, u64 nr)
{
	u8 *bits = s->group[nr / MSYNCFS_GROUP_BLOCKS];
	unsigned int i = nr % MSYNCFS_GROUP_BLOCKS;

	if (bits)
		bits[i / 8] &= ~(1U << i % 8);
}

/* Return eight bits of a group. */
u8 bits_byte(const struct bits *s, u64 group, unsigned int byte)
{
	return s->group[group] ? s->group[group][byte] : 0;
}

static u64 count_group(const u8 *bits)
{
	u64 nr = 0, word, i;

	for (i = 0; bits && i < BITS_BYTES; i += sizeof(word)) {
		memcpy(&word, bits + i, sizeof(word));
		nr += __builtin_popcountll(word);
	}
	return nr;
}

/* Return the number of blocks in a set. */
u64 bits_count(const struct bits *s)
{
	u64 nr = 0, g;

	for (g = 0; g < s->groups; g++)
		nr += count_group(s->group[g]);
	return nr;
}

/* Begin with empty sets. */
void fsck_bitmaps_new(struct fsck *fs)
{
	u64 groups = fs->geo.bitmap_blocks;

	bits_free(fs->disk);
	bits_free(fs->used);
	bits_free(fs->gone);
	free(fs->bad_group);
	fs->disk = bits_new(groups);
	fs->used = bits_new(groups);
	fs->gone = bits_new(groups);
	fs->bad_group = fsck_alloc(groups * sizeof(*fs->bad_group));
}

/* Mark all blocks outside the data area as used, and read the bitmaps. */
void fsck_bitmaps_load(struct fsck *fs)
{
	struct msyncfs_geo *geo = &fs->geo;
	static struct msyncfs_disk_bitmap bm;
	u64 group, b;

	for (b = 0; b < geo->root_ino; b++)
		bit_set(fs->used, b);
	bit_set(fs->used, geo->blocks - 1);

	for (group = 0; group < geo->bitmap_blocks; group++) {
		progress(fs, 0, group, geo->bitmap_blocks);
		fs->bad_group[group] = blk_load(fs, geo->bitmap_start + group,
						MSYNCFS_MAGIC_BITMAP, group,
						&bm);
		if (fs->bad_group[group] || !memchr_inv(bm.bits, 0, BITS_BYTES))
			continue;
		fs->disk->group[group] = fsck_alloc(BITS_BYTES);
		memcpy(fs->disk->group[group], bm.bits, BITS_BYTES);
		fs->marked += count_group(bm.bits);
	}
	progress_end(fs, 0);
}

/*
 * This structure collects runs of blocks as text for a message. The bitmap has
 * the same kind of error for all these blocks.
 */
struct runs {
	u64	nr;
	u64	first, last;
	unsigned int shown;
	char	text[512];
	size_t	len;
};

static void runs_end(struct runs *r)
{
	if (!r->nr)
		return;
	if (r->shown++ < RUNS_SHOWN)
		r->len += snprintf(r->text + r->len, sizeof(r->text) - r->len,
				   r->first == r->last ? " %llu" : " %llu-%llu",
				   r->first, r->last);
	else if (r->shown == RUNS_SHOWN + 1)
		memcpy(r->text + r->len, " ...", sizeof(" ..."));
}

static void runs_add(struct runs *r, u64 b)
{
	if (r->nr && r->last + 1 == b) {
		r->last = b;
	} else {
		runs_end(r);
		r->first = b;
		r->last = b;
	}
	r->nr++;
}

/* Tell whether the bitmap of a group needs no look: nothing in it can be wrong. */
static bool group_fits(const struct fsck *fs, u64 group)
{
	const u8 *disk = fs->disk->group[group], *used = fs->used->group[group];

	if (fs->bad_group[group] || fs->gone->group[group])
		return false;
	return disk && used ? !memcmp(disk, used, BITS_BYTES) : disk == used;
}

/* Find the differences between the bitmap of a group and the blocks with an owner. */
static void find_differences(struct fsck *fs, u64 group, struct runs *leak,
			     struct runs *miss)
{
	u64 b = group * MSYNCFS_GROUP_BLOCKS, end = b + MSYNCFS_GROUP_BLOCKS;

	if (fs->bad_group[group] || group_fits(fs, group))
		return;
	for (; b < end && b < fs->geo.blocks - 1; b++) {
		if (bit_test(fs->gone, b))
			continue;
		if (bit_test(fs->disk, b) && !bit_test(fs->used, b))
			runs_add(leak, b);
		else if (!bit_test(fs->disk, b) && bit_test(fs->used, b))
			runs_add(miss, b);
	}
}

static void store_bitmap(struct fsck *fs, u64 group, bool set, bool clear)
{
	u64 first = group * MSYNCFS_GROUP_BLOCKS, i;
	static struct msyncfs_disk_bitmap bm;
	bool bad = fs->bad_group[group], changed = bad;

	if (group_fits(fs, group))
		return;
	msyncfs_init_block(&bm, MSYNCFS_MAGIC_BITMAP, 0,
			   fs->geo.bitmap_start + group, group);
	for (i = 0; i < MSYNCFS_GROUP_BLOCKS; i++) {
		u64 b = first + i;
		bool is = bit_test(fs->disk, b), want = is;

		if (!msyncfs_is_data(&fs->geo, b) || bit_test(fs->used, b))
			want |= set || bad;
		else if (clear || bad || bit_test(fs->gone, b))
			want = false;
		if (want)
			bm.bits[i / 8] |= 1U << i % 8;
		changed |= want != is;
	}
	if (changed)
		blk_write(fs, fs->geo.bitmap_start + group, &bm);
}

/* Compare the bitmaps on disk with fs->used, and write the repaired bitmaps. */
void fsck_bitmaps(struct fsck *fs)
{
	struct runs leak = {}, miss = {};
	bool set = false, clear = false;
	u64 group;

	for (group = 0; group < fs->geo.bitmap_blocks; group++)
		if (fs->bad_group[group] &&
		    !problem(fs, true, "make it anew",
			     "Bitmap of group %llu (block %llu): %s", group,
			     fs->geo.bitmap_start + group,
			     fs->bad_group[group]))
			fs->bad_group[group] = NULL;
	for (group = 0; group < fs->geo.bitmap_blocks; group++)
		find_differences(fs, group, &leak, &miss);
	runs_end(&leak);
	runs_end(&miss);
	if (miss.nr)
		set = problem(fs, true, "mark them",
			      "Bitmap: %llu blocks are in use, but marked free:%s",
			      miss.nr, miss.text);
	if (leak.nr)
		clear = problem(fs, true, "free them",
				"Bitmap: %llu blocks are marked in use, but belong to nothing:%s",
				leak.nr, leak.text);
	for (group = 0; group < fs->geo.bitmap_blocks; group++) {
		progress(fs, 5, group, fs->geo.bitmap_blocks);
		store_bitmap(fs, group, set, clear);
	}
}
