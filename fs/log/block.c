// SPDX-License-Identifier: GPL-2.0
/*
 * This file handles metadata buffers. It checks a buffer before its first use,
 * and initialises blocks that become metadata. txn.c makes changed buffers part
 * of a transaction.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/pagemap.h>
#include <linux/swap.h>

#include "txn.h"

static bool buffer_msyncfs_verified(const struct buffer_head *bh)
{
	return test_bit_acquire(MSYNCFS_BH_VERIFIED, &bh->b_state);
}

/* Return the name of a kind of metadata block, for messages. */
static const char *msyncfs_magic_name(u32 magic)
{
	switch (magic) {
	case MSYNCFS_MAGIC_ROOT:
		return "root block";
	case MSYNCFS_MAGIC_BITMAP:
		return "bitmap";
	case MSYNCFS_MAGIC_INODES:
		return "inode bitmap";
	case MSYNCFS_MAGIC_INODE:
		return "inode";
	case MSYNCFS_MAGIC_MAP:
		return "map of inode";
	case MSYNCFS_MAGIC_REST:
		return "symbolic link";
	case MSYNCFS_MAGIC_XATTR:
		return "attributes of inode";
	case MSYNCFS_MAGIC_VALUE:
		return "value of an attribute of inode";
	default:
		return "directory";
	}
}

/*
 * Check that a verified buffer has the kind @magic and the owner @owner. Return
 * NULL, or a text that says what is wrong.
 */
static const char *msyncfs_check_kind(const struct buffer_head *bh, u32 magic,
				      u64 owner)
{
	const struct msyncfs_disk_header *h = (void *)bh->b_data;

	if (le32_to_cpu(h->magic) != magic)
		return "not the kind of block expected here";
	if (le64_to_cpu(h->owner) != owner)
		return "belongs to another owner";
	return NULL;
}

static const char *msyncfs_check_buffer(const struct msyncfs_geo *geo,
					struct buffer_head *bh, u32 magic,
					u64 owner)
{
	const char *why = NULL;

	/*
	 * Verify under the buffer lock. Otherwise one task could finish the
	 * check and modify the block while another task still checks the block.
	 * The checksum would be outdated, and the second check would fail. The
	 * task that has set the verified bit may have expected another kind of
	 * block. So compare the kind even if the bit is set.
	 */
	if (!buffer_msyncfs_verified(bh)) {
		lock_buffer(bh);
		if (!buffer_msyncfs_verified(bh)) {
			why = msyncfs_verify_block(geo, bh->b_data, bh->b_blocknr,
						   magic, owner);
			if (!why)
				set_bit(MSYNCFS_BH_VERIFIED, &bh->b_state);
		}
		unlock_buffer(bh);
	}
	return why ?: msyncfs_check_kind(bh, magic, owner);
}

/*
 * Find the buffer of a map node that is in memory, or return NULL. A map has
 * more nodes than the few buffers that the kernel remembers for each CPU, so
 * sb_bread() would often search the page cache, too, and then replace one of
 * these buffers.
 */
static struct buffer_head *msyncfs_find_node(struct super_block *sb, u64 blkno)
{
	struct address_space *mapping = sb->s_bdev->bd_mapping;
	struct buffer_head *bh = NULL;
	struct folio *folio;

	folio = filemap_get_folio(mapping, blkno);
	if (IS_ERR(folio))
		return NULL;
	/* This lock keeps the buffers of the folio in memory. */
	spin_lock(&mapping->i_private_lock);
	if (!folio_test_large(folio))
		bh = folio_buffers(folio);
	if (bh && buffer_mapped(bh) && bh->b_blocknr == blkno &&
	    buffer_uptodate(bh))
		get_bh(bh);
	else
		bh = NULL;
	spin_unlock(&mapping->i_private_lock);
	folio_mark_accessed(folio);
	folio_put(folio);
	return bh;
}

/* Begin to read blocks, with one command for blocks that follow each other. */
static void msyncfs_begin_reads(struct super_block *sb, const __le64 *blkno,
				unsigned int nr)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(sb)->geo;
	struct blk_plug plug;

	blk_start_plug(&plug);
	for (; nr; nr--, blkno++)
		if (msyncfs_is_data(geo, le64_to_cpu(*blkno)))
			sb_breadahead(sb, le64_to_cpu(*blkno));
	blk_finish_plug(&plug);
}

/**
 * msyncfs_bread_ahead - read and check a metadata block, and begin to read others
 * @sb: filesystem
 * @blkno: block
 * @magic: kind of block expected, MSYNCFS_MAGIC_*
 * @owner: expected owner; see struct msyncfs_disk_header
 * @ahead: blocks that the caller will probably need soon; @blkno may be one of
 *	them. If @blkno is not in memory, the function begins to read them.
 *	Numbers that are not in the data area are left out
 * @nr: number of blocks in @ahead
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; ERR_PTR(-EIO) if the block cannot be read;
 * ERR_PTR(-EUCLEAN) if the block is not what the caller expects. Both errors
 * have been logged.
 */
struct buffer_head *msyncfs_bread_ahead(struct super_block *sb, u64 blkno,
					u32 magic, u64 owner,
					const __le64 *ahead, unsigned int nr)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(sb)->geo;
	struct buffer_head *bh = NULL;
	const char *why;

	if (!msyncfs_is_home(geo, blkno)) {
		msyncfs_err(sb, "block %llu: outside the data area", blkno);
		return ERR_PTR(-EFSCORRUPTED);
	}
	if (magic == MSYNCFS_MAGIC_MAP)
		bh = msyncfs_find_node(sb, blkno);
	if (!bh) {
		if (nr)
			msyncfs_begin_reads(sb, ahead, nr);
		bh = sb_bread(sb, blkno);
	}
	if (!bh) {
		msyncfs_err(sb, "block %llu: %s %llu: cannot be read", blkno,
			    msyncfs_magic_name(magic), owner);
		return ERR_PTR(-EIO);
	}
	why = msyncfs_check_buffer(geo, bh, magic, owner);
	if (why) {
		msyncfs_err(sb, "block %llu: %s %llu: %s", blkno,
			    msyncfs_magic_name(magic), owner, why);
		brelse(bh);
		return ERR_PTR(-EFSCORRUPTED);
	}
	return bh;
}

/**
 * msyncfs_bread - read and check a metadata block
 * @sb: filesystem
 * @blkno: block
 * @magic: as for msyncfs_bread_ahead()
 * @owner: as for msyncfs_bread_ahead()
 *
 * Context: may sleep and do I/O.
 * Return: as msyncfs_bread_ahead().
 */
struct buffer_head *msyncfs_bread(struct super_block *sb, u64 blkno, u32 magic,
				  u64 owner)
{
	return msyncfs_bread_ahead(sb, blkno, magic, owner, NULL, 0);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_bread);

/**
 * msyncfs_block_new - initialise a block that becomes metadata
 * @sb: filesystem
 * @blkno: block, claimed or newly allocated
 * @magic: kind of block, MSYNCFS_MAGIC_*
 * @level: value of the level field in the header of the block
 * @owner: inode number of the owner
 *
 * Context: may sleep.
 * Return: the buffer, zeroed except for its header, with a reference for the
 * caller; ERR_PTR(-ENOMEM); ERR_PTR(-EUCLEAN) (logged) if the block is already
 * in use as metadata, although the bitmap marks it as free.
 */
struct buffer_head *msyncfs_block_new(struct super_block *sb, u64 blkno,
				      u32 magic, u32 level, u64 owner)
{
	struct buffer_head *bh = sb_getblk(sb, blkno);

	if (!bh)
		return ERR_PTR(-ENOMEM);
	lock_buffer(bh);
	if (buffer_msyncfs_verified(bh)) {
		/* The block is in use, so its content must not change. */
		unlock_buffer(bh);
		brelse(bh);
		msyncfs_err(sb, "block %llu: free in the bitmap, but in use",
			    blkno);
		return ERR_PTR(-EFSCORRUPTED);
	}
	msyncfs_init_block(bh->b_data, magic, level, blkno, owner);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
	set_buffer_uptodate(bh);
	set_bit(MSYNCFS_BH_VERIFIED, &bh->b_state);
	unlock_buffer(bh);
	return bh;
}

/**
 * msyncfs_block_release - note that the block of a buffer is no longer metadata
 * @bh: the buffer; the caller keeps its reference
 *
 * Context: any; the caller knows that nobody else uses the block.
 */
void msyncfs_block_release(struct buffer_head *bh)
{
	clear_bit(MSYNCFS_BH_VERIFIED, &bh->b_state);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
}

/**
 * msyncfs_block_forget - note that a block is no longer metadata
 * @sb: filesystem
 * @blkno: block
 * @magic: kind of the block until now, MSYNCFS_MAGIC_*
 * @owner: owner of the block until now
 *
 * Context: may sleep, does no I/O.
 * Return: 0; -EUCLEAN (logged) if the block in memory has another kind or
 * another owner. After this error nothing has changed, because another task may
 * use the block.
 */
int msyncfs_block_forget(struct super_block *sb, u64 blkno, u32 magic, u64 owner)
{
	struct buffer_head *bh = sb_find_get_block(sb, blkno);
	const char *why = NULL;

	if (!bh)
		return 0;
	if (buffer_msyncfs_verified(bh))
		why = msyncfs_check_kind(bh, magic, owner);
	if (!why)
		msyncfs_block_release(bh);
	brelse(bh);
	if (!why)
		return 0;
	msyncfs_err(sb, "block %llu: %s %llu: not to be freed: %s", blkno,
		    msyncfs_magic_name(magic), owner, why);
	return -EFSCORRUPTED;
}

/**
 * msyncfs_block_find - find metadata in a run of blocks
 * @sb: filesystem
 * @start: first block
 * @len: number of blocks
 *
 * The function finds only metadata that is in memory.
 *
 * Context: may sleep, does no I/O.
 * Return: the first block that is metadata, or 0 if there is none.
 */
u64 msyncfs_block_find(struct super_block *sb, u64 start, u64 len)
{
	loff_t from = (loff_t)start << MSYNCFS_BLOCK_SHIFT;
	loff_t to = (loff_t)(start + len) << MSYNCFS_BLOCK_SHIFT;
	struct buffer_head *bh;
	bool meta;

	if (!filemap_range_has_page(sb->s_bdev->bd_mapping, from, to - 1))
		return 0;
	for (; len; start++, len--) {
		bh = sb_find_get_block(sb, start);
		if (!bh)
			continue;
		meta = buffer_msyncfs_verified(bh);
		brelse(bh);
		if (meta)
			return start;
	}
	return 0;
}

/**
 * msyncfs_seal_unlogged - seal a metadata block that is written outside the log
 * @sb: filesystem
 * @buf: the block, MSYNCFS_BLOCK_SIZE bytes
 *
 * Context: any.
 */
void msyncfs_seal_unlogged(struct super_block *sb, void *buf)
{
	msyncfs_seal_block(&MSYNCFS_SB(sb)->geo, buf,
			   READ_ONCE(MSYNCFS_LOG(sb)->seq));
}
