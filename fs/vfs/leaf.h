/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to leaf.c and dir.c: the leaves of a directory.
 */
#ifndef MSYNCFS_LEAF_H
#define MSYNCFS_LEAF_H

#include "vfs.h"

/* What fits in a leaf, in bytes. */
#define LEAF_ROOM	sizeof_field(struct msyncfs_disk_dir, data)

/**
 * struct dir_leaf - a leaf of a directory, read and checked
 * @bh: its buffer, referenced; NULL: none
 * @disk: its content
 * @depth: depth in the trie
 * @prefix: the top @depth bits of its hashes
 */
struct dir_leaf {
	struct buffer_head	*bh;
	struct msyncfs_disk_dir	*disk;
	unsigned int		depth;
	u64			prefix;
};

/**
 * struct dir_pos - where a name is in a directory, or would be
 * @leaf: the leaf for its hash; @leaf.bh is NULL in a directory without blocks
 * @hash: of the name
 * @off: offset in the leaf's data of the first entry with that hash or larger
 * @same_hash: the entry at @off has the same hash
 * @same_name: and the same name
 */
struct dir_pos {
	struct dir_leaf		leaf;
	u64			hash;
	unsigned int		off;
	bool			same_hash;
	bool			same_name;
};

/* The smallest hash with @prefix at @depth; 1 << 62 past the last prefix. */
static inline u64 prefix_hash(u64 prefix, unsigned int depth)
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

static inline void leaf_put(struct dir_leaf *leaf)
{
	brelse(leaf->bh);
	leaf->bh = NULL;
}

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
