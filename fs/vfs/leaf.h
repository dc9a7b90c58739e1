/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header describes the leaves of a directory. It is private to leaf.c and
 * dir.c. In these files "leaf" means a directory leaf, not a leaf of the file
 * map.
 */
#ifndef MSYNCFS_LEAF_H
#define MSYNCFS_LEAF_H

#include "vfs.h"

/* Room for entries in a leaf, in bytes. */
#define LEAF_ROOM	sizeof_field(struct msyncfs_disk_dir, data)

/**
 * struct dir_leaf - a leaf that has been read and checked
 * @bh: buffer of the leaf, referenced; NULL if there is no leaf
 * @disk: content of the leaf, in @bh
 * @depth: depth of the leaf in the trie
 * @prefix: value of the top @depth bits of every position in the leaf
 */
struct dir_leaf {
	struct buffer_head	*bh;
	struct msyncfs_disk_dir	*disk;
	unsigned int		depth;
	u64			prefix;
};

/**
 * struct dir_pos - where the entry of a name is, or where it can be inserted
 * @leaf: leaf for @position; @leaf.bh is NULL if the directory has no blocks
 * @position: position of the name; if the directory does not have the name, the
 *	first free position for it
 * @off: byte offset of @position in the leaf's data
 * @found: the directory has the name
 * @full: there is no free position for the name
 */
struct dir_pos {
	struct dir_leaf		leaf;
	u64			position;
	unsigned int		off;
	bool			found;
	bool			full;
};

/*
 * Returns the smallest position whose top @depth bits are @prefix. If @prefix
 * is one more than the largest prefix at @depth, the result is 1 <<
 * MSYNCFS_POS_BITS.
 */
static inline u64 prefix_first_pos(u64 prefix, unsigned int depth)
{
	return prefix << (MSYNCFS_POS_BITS - depth);
}

/* Returns the position that follows all positions of a leaf. */
static inline u64 leaf_end(const struct dir_leaf *leaf)
{
	return prefix_first_pos(leaf->prefix + 1, leaf->depth);
}

static inline struct msyncfs_disk_dirent *
leaf_entry(struct msyncfs_disk_dir *disk, unsigned int off)
{
	return (struct msyncfs_disk_dirent *)(disk->data + off);
}

static inline unsigned int leaf_used(const struct msyncfs_disk_dir *disk)
{
	return le32_to_cpu(disk->used);
}

static inline unsigned int entry_len(const struct msyncfs_disk_dirent *de)
{
	return MSYNCFS_DIRENT_LEN(de->name_len);
}

/* Drops the reference to a leaf. Does nothing if there is no leaf. */
static inline void leaf_put(struct dir_leaf *leaf)
{
	brelse(leaf->bh);
	leaf->bh = NULL;
}

/* In leaf.c. Callers hold i_rwsem of the directory. */
int msyncfs_leaf_find(struct inode *dir, u64 position, struct dir_leaf *leaf);
unsigned int msyncfs_leaf_seek(struct msyncfs_disk_dir *disk, u64 position);
int msyncfs_leaf_split(struct inode *dir, struct dir_leaf *leaf);
void msyncfs_leaf_insert(struct dir_pos *pos, const struct qstr *name, u64 ino,
			 umode_t mode);
int msyncfs_leaf_first(struct msyncfs_op *op, struct inode *dir,
		       struct dir_leaf *leaf);
bool msyncfs_leaf_merge(struct msyncfs_op *op, struct inode *dir,
			unsigned int depth, u64 prefix);

#endif /* MSYNCFS_LEAF_H */
