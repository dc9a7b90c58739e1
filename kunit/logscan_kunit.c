// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for fs/logscan.c: which records of a log are good, and whether
 * what ends them is a torn tail or damage (R4). The log is a buffer in memory;
 * what recovery does with the records is recovery_kunit.c's.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#include "fs/format.h"

#define LOG_BLOCKS	256
#define RECORD_MAX	(LOG_BLOCKS / 4)
#define NONCE		0x1234567890abcdefULL
#define BAD_NONCE	0x0fedcba098765432ULL
#define MAX_APPLIED	LOG_BLOCKS

/*
 * Of 4096 blocks: bitmap 4, log 5..260, data 261..4094, backup 4095.
 */
#define FIRST_HOME	261

/**
 * struct scan_fixture - a log in memory and what a scan of it said
 * @test: whose it is
 * @geo: of the filesystem
 * @log: its content
 * @r: reader
 * @reads: blocks read so far
 * @fail_pos: reads of this block fail, LOG_BLOCKS for none
 * @fail_nr: only reads of at least so many blocks do
 * @applied: records applied
 * @first_seq: number of the first of them
 * @pos: their positions
 * @stop_at: apply fails for the record with this number in @applied
 * @end_pos: result
 * @end_seq: result
 * @bad_seq: result
 * @why: result
 */
struct scan_fixture {
	struct kunit			*test;
	struct msyncfs_geo		geo;
	u8				*log;
	struct msyncfs_log_reader	r;
	u64				reads;
	u64				fail_pos;
	u32				fail_nr;
	unsigned int			applied;
	u64				first_seq;
	u64				pos[MAX_APPLIED];
	int				stop_at;
	u64				end_pos;
	u64				end_seq;
	u64				bad_seq;
	enum msyncfs_reject		why;
};

static void *log_block(struct scan_fixture *fx, u64 pos)
{
	return fx->log + pos * MSYNCFS_BLOCK_SIZE;
}

static struct msyncfs_disk_record *record_at(struct scan_fixture *fx, u64 pos)
{
	return log_block(fx, pos);
}

static int scan_read(void *ctx, u64 pos, u32 nr, void *buf)
{
	struct scan_fixture *fx = ctx;

	/* The contract with the reader. */
	KUNIT_EXPECT_GT(fx->test, nr, 0);
	KUNIT_EXPECT_LE(fx->test, nr, RECORD_MAX);
	KUNIT_ASSERT_LE(fx->test, pos + nr, LOG_BLOCKS);
	fx->reads += nr;
	if (nr >= fx->fail_nr && pos <= fx->fail_pos && fx->fail_pos < pos + nr)
		return -EIO;
	memcpy(buf, log_block(fx, pos), (size_t)nr * MSYNCFS_BLOCK_SIZE);
	return 0;
}

static int scan_apply(void *ctx, const struct msyncfs_disk_record *rec, u64 pos)
{
	struct scan_fixture *fx = ctx;
	size_t len = le32_to_cpu(rec->header_blocks) +
		     le32_to_cpu(rec->nr_images);

	KUNIT_ASSERT_LT(fx->test, fx->applied, MAX_APPLIED);
	if (fx->stop_at == (int)fx->applied)
		return -ENOMEM;
	/* In order, and the whole of it is there. */
	if (!fx->applied)
		fx->first_seq = le64_to_cpu(rec->seq);
	KUNIT_EXPECT_EQ(fx->test, le64_to_cpu(rec->seq),
			fx->first_seq + fx->applied);
	KUNIT_EXPECT_EQ(fx->test, memcmp(rec, log_block(fx, pos),
					 len * MSYNCFS_BLOCK_SIZE), 0);
	fx->pos[fx->applied++] = pos;
	return 0;
}

static void seal(struct scan_fixture *fx, u64 pos)
{
	struct msyncfs_disk_record *rec = record_at(fx, pos);
	u64 len = 1 + (u64)le32_to_cpu(rec->nr_images);
	u64 csum;

	len = min(len, LOG_BLOCKS - pos);
	csum = msyncfs_csum(rec, len * MSYNCFS_BLOCK_SIZE,
			    offsetof(struct msyncfs_disk_record, csum),
			    fx->geo.seed);
	rec->csum = cpu_to_le64(csum);
}

/* A good record of 1 + @nr blocks; the one before it was durable. */
static u64 put(struct scan_fixture *fx, u64 pos, u64 seq, u32 nr)
{
	struct msyncfs_disk_record *rec = record_at(fx, pos);
	u32 i;

	KUNIT_ASSERT_LE(fx->test, pos + 1 + nr, LOG_BLOCKS);
	memset(rec, 0, MSYNCFS_BLOCK_SIZE);
	rec->magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD);
	rec->header_blocks = cpu_to_le32(1);
	memcpy(rec->uuid, fx->geo.uuid, sizeof(rec->uuid));
	rec->nonce = cpu_to_le64(NONCE);
	rec->seq = cpu_to_le64(seq);
	rec->durable_seq = cpu_to_le64(seq - 1);
	rec->nr_images = cpu_to_le32(nr);
	for (i = 0; i < nr; i++) {
		rec->home[i] = cpu_to_le64((FIRST_HOME + 3 * i) |
					   (i % 2 ? MSYNCFS_HOME_META : 0));
		memset(log_block(fx, pos + 1 + i), seq * 7 + i,
		       MSYNCFS_BLOCK_SIZE);
	}
	seal(fx, pos);
	return 1 + nr;
}

static int scan(struct scan_fixture *fx, u64 tail_pos, u64 tail_seq)
{
	struct msyncfs_disk_slot slot = {
		.nonce		= cpu_to_le64(NONCE),
		.tail_seq	= cpu_to_le64(tail_seq),
		.tail_pos	= cpu_to_le64(tail_pos),
	};

	fx->applied = 0;
	fx->end_pos = U64_MAX;
	fx->end_seq = U64_MAX;
	fx->bad_seq = U64_MAX;
	fx->why = MSYNCFS_NR_REC;
	return msyncfs_log_scan(&fx->r, &slot, scan_apply, &fx->end_pos,
				&fx->end_seq, &fx->bad_seq, &fx->why);
}

static void scan_vfree(void *p)
{
	vfree(p);
}

static void *scan_valloc(struct kunit *test, size_t len)
{
	void *p = vzalloc(len);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, scan_vfree, p),
			0);
	return p;
}

static int scan_init(struct kunit *test)
{
	struct scan_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->test = test;
	KUNIT_ASSERT_EQ(test, msyncfs_layout(4096, LOG_BLOCKS, &fx->geo), 0);
	memset(fx->geo.uuid, 0x37, sizeof(fx->geo.uuid));
	fx->geo.seed = xxh64(fx->geo.uuid, sizeof(fx->geo.uuid), 0);
	fx->log = scan_valloc(test, LOG_BLOCKS * MSYNCFS_BLOCK_SIZE);
	fx->fail_pos = LOG_BLOCKS;
	fx->stop_at = -1;
	fx->r = (struct msyncfs_log_reader) {
		.geo	= &fx->geo,
		.read	= scan_read,
		.ctx	= fx,
		/* Of the size promised, so that KASAN sees what is beyond. */
		.buf	= kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL),
		.record	= scan_valloc(test, RECORD_MAX * MSYNCFS_BLOCK_SIZE),
	};
	KUNIT_ASSERT_NOT_NULL(test, fx->r.buf);
	test->priv = fx;
	return 0;
}

/* ---- every reason to reject -------------------------------------------- */

/**
 * struct reject_row - damage to a record of 1 + 9 blocks
 * @name: what it is
 * @why: how it is rejected
 * @poke: the bytes changed
 * @poke.at: first byte, from the start of the record
 * @poke.width: how many
 * @poke.value: to this
 * @raw: the checksum is left as it was
 * @fail_nr: reads of at least so many blocks fail; 0: none
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
	u32			fail_nr;
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
	{ "reserved0",		MSYNCFS_REC_SHAPE, R(reserved0, 1) },
	{ "reserved",		MSYNCFS_REC_SHAPE, BYTE(95, 1) },
	{ "after the homes",	MSYNCFS_REC_SHAPE, HOME(9, 1) },
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
	{ "first payload byte",	MSYNCFS_REC_CSUM, BYTE(4096, 1), true },
	{ "last payload byte",	MSYNCFS_REC_CSUM, BYTE(40959, 1), true },
	{ "header unreadable",	MSYNCFS_REC_IO, .fail_nr = 1 },
	{ "payload unreadable",	MSYNCFS_REC_IO, .fail_nr = 2 },
};

KUNIT_ARRAY_PARAM_DESC(reject, reject_rows, name);

/* Puts the damaged record number 5 to @pos. */
static void put_rejected(struct scan_fixture *fx, u64 pos,
			 const struct reject_row *row)
{
	__le64 value = cpu_to_le64(row->poke.value);

	put(fx, pos, 5, 9);
	memcpy((u8 *)log_block(fx, pos) + row->poke.at, &value,
	       row->poke.width);
	if (!row->raw)
		seal(fx, pos);
	if (row->fail_nr) {
		fx->fail_pos = pos;
		fx->fail_nr = row->fail_nr;
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

/* The same damage at the tail: a torn tail as long as nothing follows. */
static void scan_reject_tail(struct kunit *test)
{
	const struct reject_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;
	int err;

	put(fx, 5, 4, 4);
	put_rejected(fx, 10, row);
	err = scan(fx, 5, 4);
	KUNIT_EXPECT_EQ(test, err, row->why == MSYNCFS_REC_IO ? -EIO : 0);
	KUNIT_EXPECT_EQ(test, fx->why, row->why ?: MSYNCFS_REC_MAGIC);
	KUNIT_EXPECT_EQ(test, fx->end_seq, row->why ? 5 : 6);
	KUNIT_EXPECT_EQ(test, fx->end_pos, row->why ? 10 : 20);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, fx->end_seq);
	KUNIT_EXPECT_EQ(test, fx->applied, row->why ? 1 : 2);
}

/* And once more with a record behind it that says: 5 was durable (R4). */
static void scan_reject_proven(struct kunit *test)
{
	const struct reject_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;
	int err;

	put(fx, 5, 4, 4);
	put_rejected(fx, 10, row);
	put(fx, 20, 6, 2);
	err = scan(fx, 5, 4);
	if (!row->why) {
		KUNIT_EXPECT_EQ(test, err, 0);
		KUNIT_EXPECT_EQ(test, fx->applied, 3);
		return;
	}
	KUNIT_EXPECT_EQ(test, err,
			row->why == MSYNCFS_REC_IO ? -EIO : -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, 5);
	KUNIT_EXPECT_EQ(test, fx->why, row->why);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 10);
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
		/* Each has its row above. */
		for (j = 0; j < ARRAY_SIZE(reject_rows); j++)
			covered |= reject_rows[j].why == i;
		KUNIT_EXPECT_TRUE_MSG(test, covered, "no row for: %s", name);
	}
	KUNIT_EXPECT_STREQ(test, msyncfs_reject_name(MSYNCFS_NR_REC),
			   "unknown reason");
	KUNIT_EXPECT_STREQ(test, msyncfs_reject_name(-1), "unknown reason");
}

/* ---- where the next record is -------------------------------------------- */

static void scan_next_places(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	u64 found = 77;

	/* It did not fit behind the last one, or that one filled the log. */
	put(fx, 0, 5, 9);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 250, &found),
			MSYNCFS_REC_OK);
	KUNIT_EXPECT_EQ(test, found, 0);
	found = 77;
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, LOG_BLOCKS,
					       &found), MSYNCFS_REC_OK);
	KUNIT_EXPECT_EQ(test, found, 0);

	/* Of two bad places the reason that got further. */
	found = 77;
	put(fx, 30, 5, 9);
	record_at(fx, 30)->csum = 0;
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 6, 40, &found),
			MSYNCFS_REC_SEQ);
	record_at(fx, 0)->magic = 0;
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 30, &found),
			MSYNCFS_REC_CSUM);
	KUNIT_EXPECT_EQ(test, found, 77);

	/* One that would reach over the end of the log is none. */
	put(fx, 246, 5, 9);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 246, &found),
			MSYNCFS_REC_OK);
	memmove(log_block(fx, 247), log_block(fx, 246), 9 * MSYNCFS_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 247, &found),
			MSYNCFS_REC_SHAPE);

	/* The largest there may be, and one block more. */
	put(fx, 100, 5, RECORD_MAX - 1);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 100, &found),
			MSYNCFS_REC_OK);
	put(fx, 100, 5, RECORD_MAX);
	KUNIT_EXPECT_EQ(test, msyncfs_log_next(&fx->r, NONCE, 5, 100, &found),
			MSYNCFS_REC_SHAPE);
}

/*
 * Records of 3, 8 and 5 blocks from every offset of the log on: somewhere one
 * does not fit before the end, or fits exactly, and the log goes on at 0.
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
			pos += put(fx, pos, 9 + i, lens[i] - 1);
		}
		err = scan(fx, start, 9);
		KUNIT_ASSERT_EQ_MSG(test, err, 0, "from %llu", start);
		KUNIT_ASSERT_EQ_MSG(test, fx->applied, 3, "from %llu", start);
		KUNIT_EXPECT_MEMEQ(test, fx->pos, want, sizeof(want));
		KUNIT_EXPECT_EQ(test, fx->end_pos, pos % LOG_BLOCKS);
		KUNIT_EXPECT_EQ(test, fx->end_seq, 12);
		cond_resched();
	}
}

/* The records before, up to the last block of the log. */
static void scan_exact_end(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	put(fx, 200, 1, 40);
	put(fx, 241, 2, 14);
	KUNIT_EXPECT_EQ(test, scan(fx, 200, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 2);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 0);
	KUNIT_EXPECT_EQ(test, fx->end_seq, 3);

	put(fx, 0, 3, 1);
	KUNIT_EXPECT_EQ(test, scan(fx, 200, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 3);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 2);
}

/* A log that is all records; and one whose last record bites its tail. */
static void scan_full(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < 4; i++)
		put(fx, i * 64, 1 + i, 63);
	KUNIT_EXPECT_EQ(test, scan(fx, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 4);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 0);

	memset(fx->log, 0, LOG_BLOCKS * MSYNCFS_BLOCK_SIZE);
	for (i = 0; i < 4; i++)
		put(fx, i * 60, 1 + i, 59);
	put(fx, 240, 5, 13);
	KUNIT_EXPECT_EQ(test, scan(fx, 250, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 4);
	KUNIT_EXPECT_EQ(test, fx->why, MSYNCFS_REC_SHAPE);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 240);
}

/* ---- torn tails ------------------------------------------------------------ */

/* What stood where the torn record went. */
enum stale { STALE_ZEROS, STALE_OLD_SEQ, STALE_OLD_NONCE, STALE_DATA };

static const struct torn_row {
	const char		*name;
	enum stale		stale;
	enum msyncfs_reject	why;	/* when the header is not there */
} torn_rows[] = {
	{ "over zeros",			STALE_ZEROS, MSYNCFS_REC_MAGIC },
	{ "over an older record",	STALE_OLD_SEQ, MSYNCFS_REC_SEQ },
	{ "over an older mount's",	STALE_OLD_NONCE, MSYNCFS_REC_NONCE },
	{ "over images",		STALE_DATA, MSYNCFS_REC_MAGIC },
};

KUNIT_ARRAY_PARAM_DESC(torn, torn_rows, name);

static void put_stale(struct scan_fixture *fx, u64 pos, enum stale stale)
{
	memset(log_block(fx, pos), 0, 10 * MSYNCFS_BLOCK_SIZE);
	switch (stale) {
	case STALE_ZEROS:
		break;
	case STALE_OLD_SEQ:
		put(fx, pos, 2, 9);
		break;
	case STALE_OLD_NONCE:
		put(fx, pos, 2, 9);
		record_at(fx, pos)->seq = cpu_to_le64(6);
		record_at(fx, pos)->nonce = cpu_to_le64(BAD_NONCE);
		seal(fx, pos);
		break;
	case STALE_DATA:
		memset(log_block(fx, pos), 0x99, 10 * MSYNCFS_BLOCK_SIZE);
	}
}

static void expect_torn(struct scan_fixture *fx, bool header,
			enum msyncfs_reject why)
{
	struct kunit *test = fx->test;

	KUNIT_EXPECT_EQ(test, scan(fx, 20, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
	KUNIT_EXPECT_EQ(test, fx->end_seq, 6);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 30);
	KUNIT_EXPECT_EQ(test, fx->why, header ? MSYNCFS_REC_CSUM : why);
}

/*
 * The second record's write was cut off at each block, from the front, from the
 * back, or one block alone is missing: a device's cache keeps no order.
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
	put(fx, 20, 5, 9);
	put_stale(fx, 30, row->stale);
	memcpy(old, log_block(fx, 30), len);
	expect_torn(fx, false, row->why);
	put(fx, 30, 6, 9);
	memcpy(new, log_block(fx, 30), len);
	KUNIT_EXPECT_EQ(test, scan(fx, 20, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 2);

	for (k = 0; k < 10; k++) {
		size_t at = k * MSYNCFS_BLOCK_SIZE;

		memcpy(log_block(fx, 30), old, len);
		memcpy(log_block(fx, 30), new, at);
		expect_torn(fx, k > 0, row->why);

		memcpy(log_block(fx, 30), new, len);
		memcpy(log_block(fx, 30), old, at);
		if (k)
			expect_torn(fx, false, row->why);

		memcpy(log_block(fx, 30), new, len);
		memcpy(log_block(fx, 30 + k), old + at, MSYNCFS_BLOCK_SIZE);
		expect_torn(fx, k > 0, row->why);
	}
}

/* ---- damage or torn: what a later record proves --------------------------- */

/**
 * struct later_row - what stands behind the bad record number 6
 * @name: what it is
 * @err: what the scan says
 * @seq: of the later record
 * @durable: what it says was durable when it was written
 * @flaw: what is wrong with it
 * @before: it lies before the tail, not behind the bad one
 */
struct later_row {
	const char	*name;
	int		err;
	u64		seq;
	u64		durable;
	enum { FLAW_NONE, FLAW_CSUM, FLAW_NONCE, FLAW_UUID, FLAW_SHAPE } flaw;
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
	{ "damaged itself",		0, 7, 6, FLAW_CSUM },
	{ "of another mount",		0, 7, 6, FLAW_NONCE },
	{ "of another filesystem",	0, 7, 6, FLAW_UUID },
	{ "impossible",			0, 7, 6, FLAW_SHAPE },
};

KUNIT_ARRAY_PARAM_DESC(later, later_rows, name);

static void put_later(struct scan_fixture *fx, u64 pos,
		      const struct later_row *row)
{
	struct msyncfs_disk_record *rec = record_at(fx, pos);

	put(fx, pos, row->seq, 3);
	rec->durable_seq = cpu_to_le64(row->durable);
	if (row->flaw == FLAW_NONCE)
		rec->nonce = cpu_to_le64(BAD_NONCE);
	if (row->flaw == FLAW_UUID)
		rec->uuid[0]++;
	if (row->flaw == FLAW_SHAPE)
		rec->reserved0 = cpu_to_le32(1);
	seal(fx, pos);
	if (row->flaw == FLAW_CSUM)
		rec->csum = cpu_to_le64(le64_to_cpu(rec->csum) + 1);
}

static void scan_later(struct kunit *test)
{
	const struct later_row *row = test->param_value;
	struct scan_fixture *fx = test->priv;

	put(fx, 100, 5, 9);
	put(fx, 110, 6, 9);
	record_at(fx, 110)->csum = 0;
	put_later(fx, row->before ? 50 : 120, row);

	KUNIT_EXPECT_EQ(test, scan(fx, 100, 5), row->err);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, 6);
	KUNIT_EXPECT_EQ(test, fx->end_seq, 6);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 110);
	KUNIT_EXPECT_EQ(test, fx->why, MSYNCFS_REC_CSUM);

	/* Good or bad, what follows means nothing when 6 is good. */
	seal(fx, 110);
	if (row->seq != 7) {
		KUNIT_EXPECT_EQ(test, scan(fx, 100, 5),
				row->durable >= 7 ? -EUCLEAN : 0);
		KUNIT_EXPECT_EQ(test, fx->applied, 2);
	}
}

/* Two bad ones, a third is good: the first is the one to name. */
static void scan_later_skip(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	put(fx, 0, 5, 9);
	put(fx, 10, 6, 9);
	put(fx, 20, 7, 9);
	put(fx, 30, 8, 9);
	record_at(fx, 10)->magic = 0;
	record_at(fx, 20)->csum = 0;
	KUNIT_EXPECT_EQ(test, scan(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, 6);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);

	/* The very first record of the log. */
	record_at(fx, 0)->csum = 0;
	KUNIT_EXPECT_EQ(test, scan(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, 5);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
}

/* An image may look like a record: it is none of the log's. */
static void scan_record_in_image(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	put(fx, 60, 77, 3);	/* the bytes of a record that proves 6 */
	put(fx, 0, 5, 9);
	memcpy(log_block(fx, 3), log_block(fx, 60), MSYNCFS_BLOCK_SIZE);
	memset(log_block(fx, 60), 0, 4 * MSYNCFS_BLOCK_SIZE);
	seal(fx, 0);
	/* It is within what is known to be images, and is not looked at. */
	KUNIT_EXPECT_EQ(test, scan(fx, 0, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
	KUNIT_EXPECT_EQ(test, fx->end_seq, 6);
}

/* ---- limits ------------------------------------------------------------------ */

/* Headers that lie must not make the scan take the square of the log. */
static void scan_liars(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;
	u64 pos;

	for (pos = 0; pos < LOG_BLOCKS; pos++) {
		u32 nr = min_t(u64, RECORD_MAX - 1, LOG_BLOCKS - pos - 1);

		if (!nr)
			continue;
		put(fx, pos, 100 + pos, 0);
		record_at(fx, pos)->nr_images = cpu_to_le32(nr);
	}
	fx->reads = 0;
	KUNIT_EXPECT_EQ(test, scan(fx, 0, 5), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, 5);
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

	put(fx, 0, 1, 9);
	KUNIT_EXPECT_EQ(test, scan(fx, row->pos, row->seq), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
	KUNIT_EXPECT_EQ(test, fx->bad_seq, row->seq);
	KUNIT_EXPECT_EQ(test, fx->reads, 0);
}

static void scan_apply_fails(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	put(fx, 0, 5, 9);
	put(fx, 10, 6, 9);
	fx->stop_at = 1;
	KUNIT_EXPECT_EQ(test, scan(fx, 0, 5), -ENOMEM);
	KUNIT_EXPECT_EQ(test, fx->applied, 1);
}

/* An empty log is read once; a read error anywhere in it is one of the scan. */
static void scan_empty(struct kunit *test)
{
	struct scan_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, scan(fx, 17, 5), 0);
	KUNIT_EXPECT_EQ(test, fx->applied, 0);
	KUNIT_EXPECT_EQ(test, fx->end_pos, 17);
	KUNIT_EXPECT_EQ(test, fx->end_seq, 5);
	KUNIT_EXPECT_EQ(test, fx->why, MSYNCFS_REC_MAGIC);
	KUNIT_EXPECT_LE(test, fx->reads, LOG_BLOCKS + 2);

	fx->fail_nr = 1;
	for (fx->fail_pos = 0; fx->fail_pos < LOG_BLOCKS; fx->fail_pos += 15)
		KUNIT_EXPECT_EQ_MSG(test, scan(fx, 17, 5), -EIO,
				    "unreadable at %llu", fx->fail_pos);
}

/* Hostile bytes: any answer will do that comes back, in bounds (KASAN). */
static void scan_fuzz(struct kunit *test)
{
	static const u64 places[] = { 0, 10, 73 };
	struct scan_fixture *fx = test->priv;
	struct rnd_state rnd;
	unsigned int i, j;
	int err;

	prandom_seed_state(&rnd, 20240517);
	for (i = 0; i < 150; i++) {
		put(fx, 0, 5, 9);
		put(fx, 10, 6, 62);
		put(fx, 73, 7, 1);
		for (j = 0; j < 1 + i % 4; j++) {
			u64 pos = places[i % 3];
			u32 at = prandom_u32_state(&rnd) % 200;

			((u8 *)log_block(fx, pos))[at] =
				prandom_u32_state(&rnd);
			if (prandom_u32_state(&rnd) % 2)
				seal(fx, pos);
		}
		err = scan(fx, 0, 5);
		KUNIT_EXPECT_TRUE_MSG(test, !err || err == -EUCLEAN,
				      "round %u: %d", i, err);
		KUNIT_EXPECT_LE(test, fx->applied, 3);
		KUNIT_EXPECT_LT(test, fx->end_pos, LOG_BLOCKS);
		KUNIT_EXPECT_EQ(test, fx->end_seq, 5 + fx->applied);
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
	KUNIT_CASE_PARAM(scan_torn, torn_gen_params),
	KUNIT_CASE_PARAM(scan_later, later_gen_params),
	KUNIT_CASE(scan_later_skip),
	KUNIT_CASE(scan_record_in_image),
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
