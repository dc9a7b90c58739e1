/* SPDX-License-Identifier: GPL-2.0 */
/* This file declares the functions that take private data out of metadata blocks. */
#ifndef MSYNCFS_OBSCURE_H
#define MSYNCFS_OBSCURE_H

#include "../../fs/disk/format.h"

/**
 * struct obscure - how to take private data out of metadata
 * @geo: layout of the filesystem
 * @key: random key of the new names
 * @keep_names: leave names and targets of symbolic links
 */
struct obscure {
	struct msyncfs_geo	geo;
	siphash_key_t		key;
	bool			keep_names;
};

void obscure_super(const struct obscure *o, struct msyncfs_disk_super *ds);
void obscure_slot(const struct obscure *o, struct msyncfs_disk_slot *slot);
void obscure_mmp(const struct obscure *o, struct msyncfs_disk_mmp *mmp);
void obscure_record(const struct obscure *o, struct msyncfs_disk_record *rec, size_t len,
		    bool damaged);
bool obscure_block(const struct obscure *o, void *buf, u64 blkno);

#endif /* MSYNCFS_OBSCURE_H */
