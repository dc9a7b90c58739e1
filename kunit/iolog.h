/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trace of the I/O that reaches the fake device. A test can also let the n-th
 * I/O fail, or let the power fail at the n-th I/O.
 */
#ifndef MSYNCFS_KUNIT_IOLOG_H
#define MSYNCFS_KUNIT_IOLOG_H

#include "fake.h"

#define IOLOG_MAX	1024
#define IOLOG_NEVER	UINT_MAX

/**
 * struct iolog_io - one I/O as the device saw it
 * @ops: MSYNCFS_FAKE_*
 * @opf: flags of the bio
 * @blkno: first block
 * @nr: number of blocks, 0 for a bare flush, 1 for part of a block
 */
struct iolog_io {
	unsigned int	ops;
	blk_opf_t	opf;
	u64		blkno;
	unsigned int	nr;
};

/**
 * struct iolog - trace of the I/O, and the failures that a test asks for
 * @fake: device
 * @io: the I/Os, in order
 * @nr: number of I/Os; only the first IOLOG_MAX of them are in @io
 * @mask: kinds of I/O that are traced, MSYNCFS_FAKE_*
 * @fail_at: number of the first I/O that fails
 * @fail_nr: number of I/Os that fail, from @fail_at on
 * @fate: how these I/Os fail
 * @bad: first block that cannot be written; 0: all blocks can be written
 * @bad_nr: number of blocks that cannot be written
 * @failed: number of I/Os that have failed
 * @cut_at: number of the I/O at which the power fails; if this I/O is a write,
 *	it still reaches the volatile cache; all later writes are lost
 * @cut: the power has failed
 * @unreadable: first block that cannot be read
 * @unreadable_nr: number of blocks that cannot be read
 */
struct iolog {
	struct msyncfs_fake	*fake;
	struct iolog_io		io[IOLOG_MAX];
	unsigned int		nr;
	unsigned int		mask;
	unsigned int		fail_at;
	unsigned int		fail_nr;
	enum msyncfs_fake_fate	fate;
	u64			bad;
	unsigned int		bad_nr;
	unsigned int		failed;
	unsigned int		cut_at;
	bool			cut;
	u64			unreadable;
	unsigned int		unreadable_nr;
};

struct iolog *iolog_start(struct msyncfs_fake *fake, unsigned int mask);
void iolog_reset(struct iolog *log);
void iolog_fail(struct iolog *log, unsigned int at, unsigned int nr,
		enum msyncfs_fake_fate fate);
void iolog_unreadable(struct iolog *log, u64 blkno, unsigned int nr);
void iolog_bad(struct iolog *log, u64 blkno, unsigned int nr);
void iolog_cut(struct iolog *log, unsigned int at);
void iolog_power_off(struct iolog *log);
bool iolog_keep(void *seed, u64 blkno);
const char *iolog_text(struct iolog *log, char *buf, size_t len);

#endif /* MSYNCFS_KUNIT_IOLOG_H */
