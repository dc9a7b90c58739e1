// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the scan of a log: which records are good, where the next
 * record is, and the limits of a scan. logscan_torn_kunit.c tests whether the
 * scan takes a bad record as a torn tail or as damage. recovery_kunit.c tests
 * the replay of records.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "scans.h"

/* ---- every reason to reject --------------------------------------------- */

/**
 * struct reject_row - damage to a record of 1 + 9 blocks
 * @name: description
 * @why: expected reason to reject the record
 * @poke: the bytes to change
 * @poke.at: first byte, from the start of the record
 * @poke.width: number of bytes
 * @poke.value: new value
 * @raw: do not update the checksum
 * @unreadable: the block with this number cannot be read; the header has
 *	number 1; 0: all blocks can be read
 */
struct reject_row {
	const char		*name;
	enum msyncfs_reject	why;
	struct {
		u32		at;
		u32		width;
		u64		value;
	}			poke;
	bool			raw;
	u32			unreadable;
};

#define R(field, value) \
	{ offsetof(struct msyncfs_disk_record, field), \
	  sizeof_field(struct msyncfs_disk_record, field), value }
#define HOME(i, value) \
	{ offsetof(struct msyncfs_disk_record, home) + 8 * (i), 8, value }
#define BYTE(at, value)		{ at, 1, value }

static const struct reject_row reject_rows[] = {
	{ "good",		MSYNCFS_REC_OK },
	{ "magic",		MSYNCFS_REC_MAGIC, R(magic, 0) },
	{ "slot's magic",	MSYNCFS_REC_MAGIC, R(magic, MSYNCFS_MAGIC_SLOT) },
	{ "uuid, first byte",	MSYNCFS_REC_UUID, BYTE(16, 0) },
	{ "uuid, last byte",	MSYNCFS_REC_UUID, BYTE(31, 0) },
	{ "nonce",		MSYNCFS_REC_NONCE, R(nonce, NONCE + 1) },
	{ "seq before",		MSYNCFS_REC_SEQ, R(seq, 4) },
	{ "seq after",		MSYNCFS_REC_SEQ, R(seq, 6) },
	{ "no images",		MSYNCFS_REC_SHAPE, R(nr_images, 0) },
	{ "too long",		MSYNCFS_REC_SHAPE, R(nr_images, 64) },
	{ "images U32_MAX",	MSYNCFS_REC_SHAPE, R(nr_images, U32_MAX) },
	{ "no header",		MSYNCFS_REC_SHAPE, R(header_blocks, 0) },
	{ "header too long",	MSYNCFS_REC_SHAPE, R(header_blocks, 2) },
	{ "durable before written", MSYNCFS_REC_SHAPE, R(durable_seq, 5) },
	{ "durable U64_MAX",	MSYNCFS_REC_SHAPE, R(durable_seq, U64_MAX) },
	{ "kind of checksum",	MSYNCFS_REC_SHAPE, R(csum_kind, 2) },
	{ "CRC-32C",		MSYNCFS_REC_OK, R(csum_kind, MSYNCFS_CSUM_CRC32C) },
	{ "xxh64",		MSYNCFS_REC_OK, R(csum_kind, MSYNCFS_CSUM_XXH64) },
	{ "reserved",		MSYNCFS_REC_SHAPE, BYTE(95, 1) },
	{ "old version",	MSYNCFS_REC_OLD, R(magic, MSYNCFS_MAGIC_RECORD_V1) },
	{ "after the checksums", MSYNCFS_REC_SHAPE, BYTE(96 + 9 * 12, 1) },
	{ "end of the header",	MSYNCFS_REC_SHAPE, BYTE(4095, 1) },
	{ "home 0",		MSYNCFS_REC_HOME, HOME(0, 0) },
	{ "home slot",		MSYNCFS_REC_HOME, HOME(0, 2) },
	{ "home log",		MSYNCFS_REC_HOME, HOME(0, 260) },
	{ "home backup",	MSYNCFS_REC_HOME, HOME(8, 4095) },
	{ "home bit 56",	MSYNCFS_REC_HOME, HOME(8, 1ULL << 56 | 4000) },
	{ "home bit 62",	MSYNCFS_REC_HOME, HOME(8, 1ULL << 62 | 4000) },
	{ "home twice",		MSYNCFS_REC_HOME, HOME(4, FIRST_HOME + 9) },
	{ "homes descend",	MSYNCFS_REC_HOME, HOME(4, FIRST_HOME + 1) },
	{ "home root block",	MSYNCFS_REC_OK, HOME(0, 3) },
	{ "home bitmap",	MSYNCFS_REC_OK, HOME(0, 4) },
	{ "home last",		MSYNCFS_REC_OK, HOME(8, 4094) },
	{ "durable long ago",	MSYNCFS_REC_OK, R(durable_seq, 0) },
	{ "time",		MSYNCFS_REC_OK, R(time, 99) },
	{ "checksum",		MSYNCFS_REC_CSUM, R(csum, 1), true },
	{ "time changed",	MSYNCFS_REC_CSUM, R(time, 1), true },
	{ "home changed",	MSYNCFS_REC_CSUM, HOME(8, 4001), true },
	{ "an image's checksum", MSYNCFS_REC_CSUM, BYTE(96 + 9 * 8, 1), true },
	{ "first payload byte",	MSYNCFS_REC_CSUM, BYTE(4096, 1), true },
	{ "last payload byte",	MSYNCFS_REC_CSUM, BYTE(40959, 1), true },
	{ "header unreadable",	MSYNCFS_REC_IO, .unreadable = 1 },
	{ "payload unreadable",	MSYNCFS_REC_IO, .unreadable = 7 },
};

KUNIT_ARRAY_PARAM_DESC(reject, reject_rows, name);

/* Put record number 5 at @pos, and damage it. */
static void put_rejected(struct scan_fixture *fx, u64 pos,
			 const struct reject_row *row)
{
	__le64 value = cpu_to_le64(row->poke.value);

	scan_put(fx, pos, 5, 9);
	memcpy((u8 *)scan_block(fx, pos) + row->poke.at, &value,
	       row->poke.width);
	if (!row->raw)
		scan_seal(fx, pos);
	if (row->unreadable) {
		fx->fail_pos = pos + row->unreadable - 1;
		fx->fail_nr = 1;
	}
}

static void scan_reject(struct kunit *test)
{
	const struct reject_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;
	u64 found = 77;

	put_rejected(fx, 10, row);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 10, &found),
			row->why);
	KUNIT_EXPECT_EQ(test, found, row->why ? 77 : 10);
}

/* If no record follows, the scan takes the damaged record as a torn tail. */
static void scan_reject_tail(struct kunit *test)
{
	const struct reject_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;
	int err;

	scan_put(fx, 5, 4, 4);
	put_rejected(fx, 10, row);
	err = scan_log(fx, 5, 4);
	KUNIT_EXPECT_EQ(test, err,
			row->why == MSYNCFS_REC_OLD ? -EUCLEAN : 0);
	KUNIT_EXPECT_EQ(test, fx->end.unreadable, row->unreadable ? 1 : 0);
	KUNIT_EXPECT_EQ(test, fx->end.why, row->why ?: MSYNCFS_REC_MAGIC);
	KUNIT_EXPECT_EQ(test, fx->end.seq, row->why ? 5 : 6);
	KUNIT_EXPECT_EQ(test, fx->end.pos, row->why ? 10 : 20);
	KUNIT_EXPECT_EQ(test, fx->applied, row->why ? 1 : 2);
}

/*
 * Record 5 is damaged, and the next record says that record 5 was durable. So
 * the scan must report damage (R4).
 */
static void scan_reject_proven(struct kunit *test)
{
	const struct reject_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;
	int err;

	scan_put(fx, 5, 4, 4);
	put_rejected(fx, 10, row);
	scan_put(fx, 20, 6, 2);
	err = scan_log(fx, 5, 4);
	if (!row->why) {
		KUNIT_EXPECT_EQ(test, err, 0);
		KUNIT_EXPECT_EQ(test, fx->applied, 3);
		return;
	}
	KUNIT_EXPECT_EQ(test, err, -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 5);
	KUNIT_EXPECT_EQ(test, fx->end.why, row->why);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 10);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
}

static void scan_reject_names(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < MSYNCFS_NR_REC; i++) {
		const char *name = msyncfs_reject_name(i);
		bool covered = false;

		KUNIT_ASSERT_NOT_NULL(test, name);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, name, msyncfs_reject_name(j));
		/* Each reason must have a row in reject_rows. */
		for (j = 0; j < ARRAY_SIZE(reject_rows); j++)
			covered |= reject_rows[j].why == i;
		KUNIT_EXPECT_TRUE_MSG(test, covered, "no row for: %s", name);
	}
	KUNIT_EXPECT_STREQ(test, msyncfs_reject_name(MSYNCFS_NR_REC),
			   "unknown reason");
	KUNIT_EXPECT_STREQ(test, msyncfs_reject_name(-1), "unknown reason");
}

/* ---- position of the next record ---------------------------------------- */

static void scan_next_places(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	u64 found = 77;

	/*
	 * The next record is at position 0 in two cases: the next record does
	 * not fit behind the last record, or the last record ends at the end of
	 * the log.
	 */
	scan_put(fx, 0, 5, 9);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 250, &found),
			MSYNCFS_REC_OK);
	KUNIT_EXPECT_EQ(test, found, 0);
	found = 77;
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, LOG_BLOCKS,
					       &found), MSYNCFS_REC_OK);
	KUNIT_EXPECT_EQ(test, found, 0);

	/*
	 * Both positions have a bad record. msyncfs_log_next() must return why
	 * it rejects the record that has passed more checks.
	 */
	found = 77;
	scan_put(fx, 30, 5, 9);
	scan_record(fx, 30)->csum = 0;
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 6, 40, &found),
			MSYNCFS_REC_SEQ);
	scan_record(fx, 0)->magic = 0;
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 30, &found),
			MSYNCFS_REC_CSUM);
	KUNIT_EXPECT_EQ(test, found, 77);

	/* A record that reaches beyond the end of the log is not valid. */
	scan_put(fx, 246, 5, 9);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 246, &found),
			MSYNCFS_REC_OK);
	memmove(scan_block(fx, 247), scan_block(fx, 246), 9 * MSYNCFS_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 247, &found),
			MSYNCFS_REC_SHAPE);

	/*
	 * The largest record is valid. A record with one more block is not
	 * valid.
	 */
	scan_put(fx, 100, 5, RECORD_MAX - 1);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 100, &found),
			MSYNCFS_REC_OK);
	scan_put(fx, 100, 5, RECORD_MAX);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 100, &found),
			MSYNCFS_REC_SHAPE);
}

/*
 * Let records of 3, 8 and 5 blocks begin at every offset of the log. At some
 * offsets, a record does not fit before the end of the log, so it is at
 * position 0. At some offsets, a record ends exactly at the end of the log, so
 * the next record is at position 0.
 */
static void scan_every_offset(struct kunit *test)
{
	static const u32 lens[] = { 3, 8, 5 };
	struct scan_fixture *fx = test->priv;
	u64 start, pos, want[3];
	unsigned int i;
	int err;

	for (start = 0; start < LOG_BLOCKS; start++) {
		memset(fx->log, 0, LOG_BLOCKS * MSYNCFS_BLOCK_SIZE);
		pos = start;
		for (i = 0; i < ARRAY_SIZE(lens); i++) {
			if (pos + lens[i] > LOG_BLOCKS)
				pos = 0;
			want[i] = pos;
			pos += scan_put(fx, pos, 9 + i, lens[i] - 1);
		}
		err = scan_log(fx, start, 9);
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "from %llu", start);
		KUNIT_ASSERT_EQ_MSG(test, fx->applied, 3, "from %llu", start);
		KUNIT_EXPECT_MEMEQ(test, fx->pos, want, sizeof(want));
		KUNIT_EXPECT_EQ(test, fx->end.pos, pos % LOG_BLOCKS);
		KUNIT_EXPECT_EQ(test, fx->end.seq, 12);
		cond_resched();
	}
}

/* The last record ends at the last block of the log. */
static void scan_exact_end(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 200, 1, 40);
	scan_put(fx, 241, 2, 14);
	KUNIT_EXPECT_EQ(test, scan_log(fx, 200, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 2);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 0);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 3);

	scan_put(fx, 0, 3, 1);
	KUNIT_EXPECT_EQ(test, scan_log(fx, 200, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 3);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 2);
}

/*
 * First, good records fill the whole log. In a second log, the last record
 * overlaps the tail, so the scan must reject this record.
 */
static void scan_full(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < 4; i++)
		scan_put(fx, i * 64, 1 + i, 63);
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 4);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 0);

	memset(fx->log, 0, LOG_BLOCKS * MSYNCFS_BLOCK_SIZE);
	for (i = 0; i < 4; i++)
		scan_put(fx, i * 60, 1 + i, 59);
	scan_put(fx, 240, 5, 13);
	KUNIT_EXPECT_EQ(test, scan_log(fx, 250, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 4);
	KUNIT_EXPECT_EQ(test, fx->end.why, MSYNCFS_REC_SHAPE);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 240);
}

/* ---- limits ------------------------------------------------------------- */

/* Headers with wrong lengths must not let the scan take quadratic time. */
static void scan_liars(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	u64 pos;

	for (pos = 0; pos < LOG_BLOCKS; pos++) {
		u32 nr = min_t(u64, RECORD_MAX - 1, LOG_BLOCKS - pos - 1);

		if (!nr)
			continue;
		scan_put(fx, pos, 100 + pos, 0);
		scan_record(fx, pos)->nr_images = cpu_to_le32(nr);
	}
	fx->reads = 0;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 5);
	KUNIT_EXPECT_LE(test, fx->reads, 6 * LOG_BLOCKS);
}

static const struct slot_row {
	const char	*name;
	u64		pos;
	u64		seq;
} slot_rows[] = {
	{ "tail at the end",	LOG_BLOCKS, 1 },
	{ "tail far away",	U64_MAX, 1 },
	{ "seq 0",		0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(slot, slot_rows, name);

static void scan_bad_slot(struct kunit *test)
{
	const struct slot_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 0, 1, 9);
	KUNIT_EXPECT_EQ(test, scan_log(fx, row->pos, row->seq), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
	KUNIT_EXPECT_EQ(test, fx->end.seq, row->seq);
	KUNIT_EXPECT_EQ(test, fx->reads, 0);
}

static void scan_apply_fails(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 0, 5, 9);
	scan_put(fx, 10, 6, 9);
	fx->stop_at = 1;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), -ENOMEM);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
}

/* A scan of an empty log reads each block once. */
static void scan_empty(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, scan_log(fx, 17, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 17);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 5);
	KUNIT_EXPECT_EQ(test, fx->end.why, MSYNCFS_REC_MAGIC);
	KUNIT_EXPECT_LE(test, fx->reads, LOG_BLOCKS + 2);
}

/*
 * Scan records with random damage. The scan may return any result, but it must
 * end, and KASAN must not report an access out of bounds.
 */
static void scan_fuzz(struct kunit *test)
{
	static const u64 places[] = { 0, 10, 73 };
	struct scan_fixture *fx = test->priv;
	struct rnd_state rnd;
	unsigned int i, j;
	int err;

	prandom_seed_state(&rnd, 20240517);
	for (i = 0; i < 150; i++) {
		scan_put(fx, 0, 5, 9);
		scan_put(fx, 10, 6, 62);
		scan_put(fx, 73, 7, 1);
		for (j = 0; j < 1 + i % 4; j++) {
			u64 pos = places[i % 3];
			u32 at = prandom_u32_state(&rnd) % 200;

			((u8 *)scan_block(fx, pos))[at] =
				prandom_u32_state(&rnd);
			if (prandom_u32_state(&rnd) % 2)
				scan_seal(fx, pos);
		}
		err = scan_log(fx, 0, 5);
		KUNIT_EXPECT_TRUE_MSG(test, !err || err == -EUCLEAN,
				      "round %u: %d", i, err);
		KUNIT_EXPECT_LE(test, fx->applied, 3);
		KUNIT_EXPECT_LT(test, fx->end.pos, LOG_BLOCKS);
		KUNIT_EXPECT_EQ(test, fx->end.seq, 5 + fx->applied);
	}
}

static struct kunit_case scan_cases[] = {
	KUNIT_CASE_PARAM(scan_reject, reject_gen_params),
	KUNIT_CASE_PARAM(scan_reject_tail, reject_gen_params),
	KUNIT_CASE_PARAM(scan_reject_proven, reject_gen_params),
	KUNIT_CASE(scan_reject_names),
	KUNIT_CASE(scan_next_places),
	KUNIT_CASE(scan_every_offset),
	KUNIT_CASE(scan_exact_end),
	KUNIT_CASE(scan_full),
	KUNIT_CASE(scan_liars),
	KUNIT_CASE_PARAM(scan_bad_slot, slot_gen_params),
	KUNIT_CASE(scan_apply_fails),
	KUNIT_CASE(scan_empty),
	KUNIT_CASE(scan_fuzz),
	{}
};

static struct kunit_suite scan_suite = {
	.name		= "msyncfs_logscan",
	.init		= scan_init,
	.test_cases	= scan_cases,
};

kunit_test_suite(scan_suite);
