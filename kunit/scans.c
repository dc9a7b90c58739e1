// SPDX-License-Identifier: GPL-2.0
/*
 * Make a log in memory and scan it: see scans.h.
 */
#include <linux/vmalloc.h>

#include "scans.h"

/**
 * scan_block - get a block of the log
 * @fx: fixture
 * @pos: block, from the start of the log
 *
 * Return: a pointer to the block.
 */
void *scan_block(struct scan_fixture *fx, u64 pos)
{
	return fx->log + pos * MSYNCFS_BLOCK_SIZE;
}

/**
 * scan_record - get a block of the log as the header of a record
 * @fx: fixture
 * @pos: block, from the start of the log
 *
 * Return: the header.
 */
struct msyncfs_disk_record *scan_record(struct scan_fixture *fx, u64 pos)
{
	return scan_block(fx, pos);
}

static int scan_read(void *ctx, u64 pos, u32 nr, void *buf)
{
	struct scan_fixture *fx = ctx;

	/*
	 * A read must not be longer than the largest record, and must not end
	 * beyond the log.
	 */
	KUNIT_EXPECT_GT(fx->test, nr, 0);
	KUNIT_EXPECT_LE(fx->test, nr, RECORD_MAX);
	KUNIT_ASSERT_LE(fx->test, pos + nr, LOG_BLOCKS);
	fx->reads += nr;
	if (nr >= fx->fail_min && pos < fx->fail_pos + fx->fail_nr &&
	    fx->fail_pos < pos + nr)
		return fx->fail_err;
	memcpy(buf, scan_block(fx, pos), (size_t)nr * MSYNCFS_BLOCK_SIZE);
	return 0;
}

static int scan_apply(void *ctx, const struct msyncfs_disk_record *rec, u64 pos)
{
	struct scan_fixture *fx = ctx;

	KUNIT_ASSERT_LT(fx->test, fx->applied, SCAN_APPLIED);
	if (fx->stop_at == (int)fx->applied)
		return -ENOMEM;
	/*
	 * The scan must apply records in order. Each header must be complete.
	 */
	if (!fx->applied)
		fx->first_seq = le64_to_cpu(rec->seq);
	KUNIT_EXPECT_EQ(fx->test, le64_to_cpu(rec->seq),
			fx->first_seq + fx->applied);
	KUNIT_EXPECT_EQ(fx->test, memcmp(rec, scan_block(fx, pos),
					 MSYNCFS_BLOCK_SIZE), 0);
	fx->pos[fx->applied++] = pos;
	return 0;
}

/**
 * record_seal - compute the checksums of a record
 * @rec: record with a header of one block
 * @nr: number of images that follow the header in memory
 * @geo: layout of the filesystem
 */
void record_seal(struct msyncfs_disk_record *rec, u64 nr,
		 const struct msyncfs_geo *geo)
{
	u32 kind = le32_to_cpu(rec->csum_kind);
	__le32 *csum = (void *)rec + msyncfs_record_csums(nr);
	u64 i;

	for (i = 0; i < nr; i++)
		csum[i] = cpu_to_le32(msyncfs_image_csum(geo, kind,
							 (void *)rec + (1 + i) *
							 MSYNCFS_BLOCK_SIZE));
	rec->csum = cpu_to_le64(msyncfs_csum(rec, msyncfs_record_used(nr),
					     offsetof(struct msyncfs_disk_record,
						      csum), geo->seed));
}

/**
 * scan_seal - update the checksums of a record
 * @fx: fixture
 * @pos: position of the record
 */
void scan_seal(struct scan_fixture *fx, u64 pos)
{
	struct msyncfs_disk_record *rec = scan_record(fx, pos);
	u64 nr = le32_to_cpu(rec->nr_images);

	record_seal(rec, min(nr, LOG_BLOCKS - pos - 1), &fx->geo);
}

/**
 * scan_put - write a good record, which says that record @seq - 1 is durable;
 * the checksum of the images is another one than in record @seq - 1
 * @fx: fixture
 * @pos: position of the record, which must fit before the end of the log
 * @seq: number of the record
 * @nr: number of its images
 *
 * Return: the number of its blocks, 1 + @nr.
 */
u64 scan_put(struct scan_fixture *fx, u64 pos, u64 seq, u32 nr)
{
	struct msyncfs_disk_record *rec = scan_record(fx, pos);
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
	rec->csum_kind = cpu_to_le32(seq % MSYNCFS_CSUM_KINDS);
	for (i = 0; i < nr; i++) {
		rec->home[i] = cpu_to_le64((FIRST_HOME + 3 * i) |
					   (i % 2 ? MSYNCFS_HOME_META : 0));
		memset(scan_block(fx, pos + 1 + i), seq * 7 + i,
		       MSYNCFS_BLOCK_SIZE);
	}
	scan_seal(fx, pos);
	return 1 + nr;
}

/**
 * scan_log - scan the log; the fixture gets the results
 * @fx: fixture
 * @tail_pos: tail of the log, from the slot
 * @tail_seq: number of the first record, from the slot
 *
 * Return: the result of msyncfs_log_scan().
 */
int scan_log(struct scan_fixture *fx, u64 tail_pos, u64 tail_seq)
{
	struct msyncfs_disk_slot slot = {
		.nonce		= cpu_to_le64(NONCE),
		.tail_seq	= cpu_to_le64(tail_seq),
		.tail_pos	= cpu_to_le64(tail_pos),
	};

	fx->applied = 0;
	fx->end.pos = U64_MAX;
	fx->end.seq = U64_MAX;
	fx->end.why = MSYNCFS_NR_REC;
	return msyncfs_log_scan(&fx->r, &slot, scan_apply, &fx->end);
}

static void scan_vfree(void *p)
{
	vfree(p);
}

/**
 * scan_valloc - allocate memory that the end of the test frees
 * @test: test, which fails if there is no memory
 * @len: number of bytes
 *
 * Return: the memory, filled with zeros.
 */
void *scan_valloc(struct kunit *test, size_t len)
{
	void *p = vzalloc(len);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, scan_vfree, p),
			0);
	return p;
}

/**
 * scan_init - init function of a suite: makes an empty log
 * @test: test; its priv is the fixture
 *
 * Return: 0.
 */
int scan_init(struct kunit *test)
{
	struct scan_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->test = test;
	KUNIT_ASSERT_EQ(test, msyncfs_layout(4096, LOG_BLOCKS, 0, &fx->geo), 0);
	memset(fx->geo.uuid, 0x37, sizeof(fx->geo.uuid));
	fx->geo.seed = xxh64(fx->geo.uuid, sizeof(fx->geo.uuid), 0);
	fx->log = scan_valloc(test, LOG_BLOCKS * MSYNCFS_BLOCK_SIZE);
	fx->fail_err = -EIO;
	fx->stop_at = -1;
	fx->r = (struct msyncfs_log_reader) {
		.geo	= &fx->geo,
		.read	= scan_read,
		.ctx	= fx,
		/*
		 * Allocate exactly the size that the scan may use, so that
		 * KASAN reports an access beyond this size.
		 */
		.buf	= scan_valloc(test, RECORD_MAX * MSYNCFS_BLOCK_SIZE),
		.header	= kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL),
	};
	KUNIT_ASSERT_NOT_NULL(test, fx->r.header);
	test->priv = fx;
	return 0;
}
