/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A log in memory. The suites for the log scan write records to this log and
 * damage them.
 */
#ifndef MSYNCFS_KUNIT_SCANS_H
#define MSYNCFS_KUNIT_SCANS_H

#include <kunit/test.h>

#include "fs/disk/format.h"

#define LOG_BLOCKS	256
#define RECORD_MAX	(LOG_BLOCKS / 4)
#define NONCE		0x1234567890abcdefULL
#define BAD_NONCE	0x0fedcba098765432ULL
#define SCAN_APPLIED	LOG_BLOCKS	/* more records do not fit the log */

/*
 * A device of 4096 blocks has its bitmap in block 4, the log in blocks 5..260,
 * data in blocks 261..4094, and the backup superblock in block 4095.
 */
#define FIRST_HOME	261

/**
 * struct scan_fixture - a log in memory, and the results of a scan of it
 * @test: test that uses the fixture
 * @geo: layout of the filesystem
 * @log: content of the log
 * @r: reader, for msyncfs_log_scan()
 * @reads: number of blocks read so far
 * @fail_pos: first block that cannot be read
 * @fail_nr: number of blocks that cannot be read
 * @fail_min: a read of such a block fails only if the read has at least this
 *	many blocks
 * @fail_err: error of these reads
 * @applied: number of records applied
 * @first_seq: seq of the first record applied
 * @pos: positions of the records applied
 * @stop_at: scan_apply() fails after this many records; -1: never
 * @end: result of the scan
 */
struct scan_fixture {
	struct kunit			*test;
	struct msyncfs_geo		geo;
	u8				*log;
	struct msyncfs_log_reader	r;
	u64				reads;
	u64				fail_pos;
	u32				fail_nr;
	u32				fail_min;
	int				fail_err;
	unsigned int			applied;
	u64				first_seq;
	u64				pos[SCAN_APPLIED];
	int				stop_at;
	struct msyncfs_log_end		end;
};

void *scan_block(struct scan_fixture *fx, u64 pos);
struct msyncfs_disk_record *scan_record(struct scan_fixture *fx, u64 pos);
void record_seal(struct msyncfs_disk_record *rec, u64 nr,
		 const struct msyncfs_geo *geo);
void scan_seal(struct scan_fixture *fx, u64 pos);
u64 scan_put(struct scan_fixture *fx, u64 pos, u64 seq, u32 nr);
int scan_log(struct scan_fixture *fx, u64 tail_pos, u64 tail_seq);
void *scan_valloc(struct kunit *test, size_t len);
int scan_init(struct kunit *test);

#endif /* MSYNCFS_KUNIT_SCANS_H */
