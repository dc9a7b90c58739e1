// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the scan of a log: a bad record is a torn tail, unless a
 * later record proves that it is damaged (R4). A block that cannot be read
 * counts as damage only if it belongs to such a record.
 */
#include <kunit/test.h>

#include "scans.h"

/* ---- torn tails --------------------------------------------------------- */

/*
 * The blocks of the torn record have this content before the record is written.
 */
enum stale { STALE_ZEROS, STALE_OLD_SEQ, STALE_OLD_NONCE, STALE_DATA };

static const struct torn_row {
	const char		*name;
	enum stale		stale;
	enum msyncfs_reject	why;	/* if no header was written */
} torn_rows[] = {
	{ "over zeros",			STALE_ZEROS, MSYNCFS_REC_MAGIC },
	{ "over an older record",	STALE_OLD_SEQ, MSYNCFS_REC_SEQ },
	{ "over an older mount's",	STALE_OLD_NONCE, MSYNCFS_REC_NONCE },
	{ "over images",		STALE_DATA, MSYNCFS_REC_MAGIC },
};

KUNIT_ARRAY_PARAM_DESC(torn, torn_rows, name);

static void put_stale(struct scan_fixture *fx, u64 pos, enum stale stale)
{
	memset(scan_block(fx, pos), 0, 10 * MSYNCFS_BLOCK_SIZE);
	switch (stale) {
	case STALE_ZEROS:
		break;
	case STALE_OLD_SEQ:
		scan_put(fx, pos, 2, 9);
		break;
	case STALE_OLD_NONCE:
		scan_put(fx, pos, 2, 9);
		scan_record(fx, pos)->seq = cpu_to_le64(6);
		scan_record(fx, pos)->nonce = cpu_to_le64(BAD_NONCE);
		scan_seal(fx, pos);
		break;
	case STALE_DATA:
		memset(scan_block(fx, pos), 0x99, 10 * MSYNCFS_BLOCK_SIZE);
	}
}

static void expect_torn(struct scan_fixture *fx, bool header,
			enum msyncfs_reject why)
{
	struct kunit *test = fx->test;

	KUNIT_EXPECT_EQ(test, scan_log(fx, 20, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 6);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 30);
	KUNIT_EXPECT_EQ(test, fx->end.why, header ? MSYNCFS_REC_CSUM : why);
}

/*
 * Write only some first blocks of the second record, or only some last blocks,
 * or all blocks except one. A power failure can have all these effects, because
 * a device may write the blocks of its cache in any order.
 */
static void scan_torn(struct kunit *test)
{
	const struct torn_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;
	const size_t len = 10 * MSYNCFS_BLOCK_SIZE;
	unsigned int k;
	u8 *old, *new;

	old = scan_valloc(test, len);
	new = scan_valloc(test, len);
	scan_put(fx, 20, 5, 9);
	put_stale(fx, 30, row->stale);
	memcpy(old, scan_block(fx, 30), len);
	expect_torn(fx, false, row->why);
	scan_put(fx, 30, 6, 9);
	memcpy(new, scan_block(fx, 30), len);
	KUNIT_EXPECT_EQ(test, scan_log(fx, 20, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 2);

	for (k = 0; k < 10; k++) {
		size_t at = k * MSYNCFS_BLOCK_SIZE;

		memcpy(scan_block(fx, 30), old, len);
		memcpy(scan_block(fx, 30), new, at);
		expect_torn(fx, k > 0, row->why);

		memcpy(scan_block(fx, 30), new, len);
		memcpy(scan_block(fx, 30), old, at);
		if (k)
			expect_torn(fx, false, row->why);

		memcpy(scan_block(fx, 30), new, len);
		memcpy(scan_block(fx, 30 + k), old + at, MSYNCFS_BLOCK_SIZE);
		expect_torn(fx, k > 0, row->why);
	}
}

/* ---- damage, proven by a later record ----------------------------------- */

/**
 * struct later_row - a later record, which may prove that record 6 is damaged
 * @name: description
 * @err: result of the scan
 * @seq: number of the later record
 * @durable: durable_seq of the later record: the last record known to be
 *	durable
 * @flaw: error in the later record
 * @before: the later record is before the tail, not behind record 6
 */
struct later_row {
	const char	*name;
	int		err;
	u64		seq;
	u64		durable;
	enum {
		FLAW_NONE, FLAW_IMAGE, FLAW_CSUM, FLAW_NONCE, FLAW_UUID,
		FLAW_SHAPE
	} flaw;
	bool		before;
};

static const struct later_row later_rows[] = {
	{ "next says durable",		-EUCLEAN, 7, 6 },
	{ "next was written with it",	0, 7, 5 },
	{ "much later",			-EUCLEAN, 90, 89 },
	{ "much later, durable just so", -EUCLEAN, 90, 6 },
	{ "around the end",		-EUCLEAN, 7, 6, FLAW_NONE, true },
	{ "around the end, written with it", 0, 7, 5, FLAW_NONE, true },
	{ "older",			0, 4, 3 },
	{ "the one before again",	0, 5, 4 },
	{ "torn itself",		-EUCLEAN, 7, 6, FLAW_IMAGE },
	{ "damaged itself",		0, 7, 6, FLAW_CSUM },
	{ "of another mount",		0, 7, 6, FLAW_NONCE },
	{ "of another filesystem",	0, 7, 6, FLAW_UUID },
	{ "impossible",			0, 7, 6, FLAW_SHAPE },
};

KUNIT_ARRAY_PARAM_DESC(later, later_rows, name);

static void put_later(struct scan_fixture *fx, u64 pos,
		      const struct later_row *row)
{
	struct msyncfs_disk_record *rec = scan_record(fx, pos);

	scan_put(fx, pos, row->seq, 3);
	rec->durable_seq = cpu_to_le64(row->durable);
	if (row->flaw == FLAW_NONCE)
		rec->nonce = cpu_to_le64(BAD_NONCE);
	if (row->flaw == FLAW_UUID)
		rec->uuid[0]++;
	if (row->flaw == FLAW_SHAPE)
		rec->csum_kind = cpu_to_le32(MSYNCFS_CSUM_KINDS);
	scan_seal(fx, pos);
	if (row->flaw == FLAW_IMAGE)
		memset(scan_block(fx, pos + 2), 0, MSYNCFS_BLOCK_SIZE);
	if (row->flaw == FLAW_CSUM)
		rec->csum = cpu_to_le64(le64_to_cpu(rec->csum) + 1);
}

static void scan_later(struct kunit *test)
{
	const struct later_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 100, 5, 9);
	scan_put(fx, 110, 6, 9);
	scan_record(fx, 110)->csum = 0;
	put_later(fx, row->before ? 50 : 120, row);

	KUNIT_EXPECT_EQ(test, scan_log(fx, 100, 5), row->err);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 6);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 110);
	KUNIT_EXPECT_EQ(test, fx->end.why, MSYNCFS_REC_CSUM);

	/*
	 * If record 6 is good, the scan fails only if the later record says
	 * that record 7 was durable.
	 */
	scan_seal(fx, 110);
	if (row->seq != 7) {
		KUNIT_EXPECT_EQ(test, scan_log(fx, 100, 5),
				row->durable >= 7 ? -EUCLEAN : 0);
		KUNIT_EXPECT_EQ(test, fx->applied, 2);
	}
}

/*
 * Records 6 and 7 are bad, and record 8 is good. The scan must report record 6.
 */
static void scan_later_skip(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 0, 5, 9);
	scan_put(fx, 10, 6, 9);
	scan_put(fx, 20, 7, 9);
	scan_put(fx, 30, 8, 9);
	scan_record(fx, 10)->magic = 0;
	scan_record(fx, 20)->csum = 0;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 6);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);

	/* The first record of the log is bad, too. */
	scan_record(fx, 0)->csum = 0;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 5);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
}

/*
 * The scan must not take an image for a record, even if the image looks like a
 * record.
 */
static void scan_record_in_image(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 60, 77, 3);	/* would prove damage of record 6 */
	scan_put(fx, 0, 5, 9);
	memcpy(scan_block(fx, 3), scan_block(fx, 60), MSYNCFS_BLOCK_SIZE);
	memset(scan_block(fx, 60), 0, 4 * MSYNCFS_BLOCK_SIZE);
	scan_seal(fx, 0);
	/*
	 * The block is an image in the good record 5, so the scan skips the
	 * block.
	 */
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 6);
}

/* ---- blocks that cannot be read ----------------------------------------- */

/*
 * Each block of a log with three records is unreadable in turn. Record 7 may be
 * torn, because no later record says that it was durable.
 */
static void scan_unreadable(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	u64 pos;

	scan_put(fx, 230, 5, 9);
	scan_put(fx, 240, 6, 9);	/* six blocks stay unused behind it */
	scan_put(fx, 0, 7, 9);
	fx->fail_nr = 1;
	for (pos = 0; pos < LOG_BLOCKS; pos++) {
		bool durable = pos >= 230 && pos < 250;
		unsigned int good = pos < 10 ? 2 : !durable ? 3 : pos >= 240;

		fx->fail_pos = pos;
		KUNIT_EXPECT_EQ_MSG(test, scan_log(fx, 230, 5),
				    durable ? -EUCLEAN : 0, "block %llu", pos);
		KUNIT_EXPECT_EQ_MSG(test, fx->applied, good, "block %llu", pos);
		KUNIT_EXPECT_EQ(test, fx->end.seq, 5 + good);
		/* A record at position 0 covers the blocks before the end. */
		if (pos >= 250)
			continue;
		KUNIT_EXPECT_EQ(test, fx->end.unreadable, 1);
		KUNIT_EXPECT_EQ(test, fx->end.unreadable_pos, pos);
	}
}

/* Every block of an empty log may be unreadable, but not all blocks. */
static void scan_unreadable_empty(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	fx->fail_nr = 1;
	for (fx->fail_pos = 0; fx->fail_pos < LOG_BLOCKS; fx->fail_pos++) {
		KUNIT_EXPECT_EQ_MSG(test, scan_log(fx, 17, 5), 0,
				    "block %llu", fx->fail_pos);
		KUNIT_EXPECT_EQ(test, fx->applied, 0);
		KUNIT_EXPECT_EQ(test, fx->end.unreadable, 1);
		KUNIT_EXPECT_EQ(test, fx->end.unreadable_pos, fx->fail_pos);
	}
	fx->fail_pos = 10;
	fx->fail_nr = RECORD_MAX;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 17, 5), 0);
	fx->fail_nr = RECORD_MAX + 1;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 17, 5), -EIO);
}

/*
 * The record that says that record 6 was durable has an unreadable image. The
 * scan must not take record 6 for a torn tail.
 */
static void scan_unreadable_proof(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 0, 5, 9);
	scan_put(fx, 10, 6, 9);
	scan_put(fx, 20, 7, 9);
	scan_record(fx, 10)->csum = 0;
	fx->fail_pos = 25;
	fx->fail_nr = 1;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 6);
}

/* The old record at the head must be found if block 0 cannot be read. */
static void scan_unreadable_old(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 30, 5, 9);
	scan_record(fx, 30)->magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD_V1);
	scan_seal(fx, 30);
	fx->fail_nr = 1;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 30, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->end.why, MSYNCFS_REC_OLD);
}

static const struct error_row {
	const char	*name;
	int		err;		/* error of the reads */
	u32		min;		/* shortest read that fails */
	int		want;		/* result of the scan */
	unsigned int	good;		/* number of records applied */
} error_rows[] = {
	{ "I/O error",		-EIO, 1, 0, 1 },
	{ "medium error",	-ENODATA, 1, 0, 1 },
	{ "integrity error",	-EILSEQ, 1, 0, 1 },
	{ "no memory",		-ENOMEM, 1, -ENOMEM, 1 },
	{ "path lost",		-ENOLINK, 1, -ENOLINK, 1 },
	{ "only a long read",	-EIO, 2, 0, 2 },
	{ "no memory for a long read", -ENOMEM, 2, 0, 2 },
};

KUNIT_ARRAY_PARAM_DESC(error, error_rows, name);

/* An error that may go away must not end the log, because records may follow. */
static void scan_read_errors(struct kunit *test)
{
	const struct error_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 0, 5, 9);
	scan_put(fx, 10, 6, 9);
	fx->fail_pos = 15;
	fx->fail_nr = 1;
	fx->fail_min = row->min;
	fx->fail_err = row->err;
	KUNIT_EXPECT_EQ(test, scan_log(fx, 0, 5), row->want);
	KUNIT_EXPECT_EQ(test, fx->applied, row->good);
}

/* If the slot has no nonce, the log is empty, and the scan reads nothing. */
static void scan_closed(struct kunit *test)
{
	struct msyncfs_disk_slot slot = {
		.tail_seq	= cpu_to_le64(5),
		.tail_pos	= cpu_to_le64(30),
	};
	struct scan_fixture *fx = test->priv;

	scan_put(fx, 30, 5, 9);
	scan_record(fx, 30)->nonce = 0;
	scan_seal(fx, 30);
	KUNIT_EXPECT_EQ(test, msyncfs_log_scan(&fx->r, &slot, NULL, &fx->end),
			0);
	KUNIT_EXPECT_EQ(test, fx->reads, 0);
	KUNIT_EXPECT_EQ(test, fx->end.seq, 5);
	KUNIT_EXPECT_EQ(test, fx->end.pos, 30);
}

static struct kunit_case torn_cases[] = {
	KUNIT_CASE_PARAM(scan_torn, torn_gen_params),
	KUNIT_CASE_PARAM(scan_later, later_gen_params),
	KUNIT_CASE(scan_later_skip),
	KUNIT_CASE(scan_record_in_image),
	KUNIT_CASE(scan_unreadable),
	KUNIT_CASE(scan_unreadable_empty),
	KUNIT_CASE(scan_unreadable_proof),
	KUNIT_CASE(scan_unreadable_old),
	KUNIT_CASE_PARAM(scan_read_errors, error_gen_params),
	KUNIT_CASE(scan_closed),
	{}
};

static struct kunit_suite torn_suite = {
	.name		= "msyncfs_logscan_torn",
	.init		= scan_init,
	.test_cases	= torn_cases,
};

kunit_test_suite(torn_suite);
