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
 * @prefix: value of the top @depth bits of every hash in the leaf
 */
struct dir_leaf {
	struct buffer_head	*bh;
	struct msyncfs_disk_dir	*disk;
	unsigned int		depth;
	u64			prefix;
};

/**
 * struct dir_pos - position of a name in a directory
 * @leaf: leaf for @hash; @leaf.bh is NULL if the directory has no blocks
 * @hash: hash of the name
 * @off: byte offset, in the leaf's data, of the first entry with @hash or a
 *	larger hash; a new entry for the name is inserted at @off
 * @same_hash: the entry at @off has the hash @hash
 * @same_name: the entry at @off has the name
 */
struct dir_pos {
	struct dir_leaf		leaf;
	u64			hash;
	unsigned int		off;
	bool			same_hash;
	bool			same_name;
};

/*
 * Returns the smallest hash whose top @depth bits are @prefix. If @prefix is
 * one more than the largest prefix at @depth, the result is 1 <<
 * MSYNCFS_HASH_BITS.
 */
static inline u64 prefix_first_hash(u64 prefix, unsigned int depth)
{
	return prefix << (MSYNCFS_HASH_BITS - depth);
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
int msyncfs_leaf_find(struct inode *dir, u64 hash, struct dir_leaf *leaf);
unsigned int msyncfs_leaf_seek(struct msyncfs_disk_dir *disk, u64 hash);
int msyncfs_leaf_split(struct inode *dir, struct dir_leaf *leaf);
void msyncfs_leaf_insert(struct dir_pos *pos, const struct qstr *name, u64 ino,
			 umode_t mode);
int msyncfs_leaf_first(struct msyncfs_op *op, struct inode *dir,
		       struct dir_leaf *leaf);
bool msyncfs_leaf_merge(struct msyncfs_op *op, struct inode *dir,
			unsigned int depth, u64 prefix);

#endif /* MSYNCFS_LEAF_H */
