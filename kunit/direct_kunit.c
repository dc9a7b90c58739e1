// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for asynchronous O_DIRECT requests. The device holds their bios
 * back. Meanwhile the suite checks who waits for them, and who does not.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/pagemap.h>
#include <linux/uio.h>

#include "model.h"

#define PAGES	16

/**
 * struct request - an asynchronous O_DIRECT request
 * @iocb: the request
 * @iter: iterator over @bvec
 * @bvec: memory of the request
 * @buf: the same memory
 * @done: the request is complete
 * @res: result of the request
 */
struct request {
	struct kiocb		iocb;
	struct iov_iter		iter;
	struct bio_vec		bvec;
	u8			*buf;
	struct completion	done;
	long			res;
};

/* Makes a file "g" of PAGES pages full of 1, which are home. */
static struct atomic_fixture *setup(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);

	files_quiet(fx->fake);
	msyncfs_fake_close(fx->fake, fx->file);
	fx->file = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	files_write(test, fx->file, 0, PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	invalidate_mapping_pages(fx->file->f_mapping, 0, -1);
	/* The first write of an inode looks for privileges, under i_rwsem. */
	inode_lock(file_inode(fx->file));
	KUNIT_ASSERT_EQ(test, file_modified(fx->file), 0);
	inode_unlock(file_inode(fx->file));
	iolog_reset(fx->log);
	return fx;
}

static void request_done(struct kiocb *iocb, long res)
{
	struct request *r = container_of(iocb, struct request, iocb);

	r->res = res;
	complete(&r->done);
}

static void init(struct kunit *test, struct request *r,
		 struct atomic_fixture *fx, bool write, pgoff_t index,
		 unsigned int nr, u8 fill, int flags)
{
	r->buf = kunit_kmalloc(test, nr * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r->buf);
	memset(r->buf, fill, nr * PAGE_SIZE);
	init_completion(&r->done);
	init_sync_kiocb(&r->iocb, fx->file);
	r->iocb.ki_complete = request_done;
	r->iocb.ki_pos = (loff_t)index << PAGE_SHIFT;
	r->iocb.ki_flags |= IOCB_DIRECT | flags;
	bvec_set_virt(&r->bvec, r->buf, nr * PAGE_SIZE);
	iov_iter_bvec(&r->iter, write ? ITER_SOURCE : ITER_DEST, &r->bvec, 1,
		      nr * PAGE_SIZE);
}

static ssize_t submit(struct request *r)
{
	const struct file_operations *fop = r->iocb.ki_filp->f_op;

	return iov_iter_rw(&r->iter) == WRITE ? fop->write_iter(&r->iocb, &r->iter) :
						fop->read_iter(&r->iocb, &r->iter);
}

/* Sends a request for pages. Returns what the submission returns. */
static ssize_t send(struct kunit *test, struct request *r,
		    struct atomic_fixture *fx, bool write, pgoff_t index,
		    unsigned int nr, u8 fill, int flags)
{
	init(test, r, fx, write, index, nr, fill, flags);
	return submit(r);
}

/* Expects the result of a request that was queued. */
static void expect_result(struct kunit *test, struct request *r, long res)
{
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&r->done, 10 * HZ), 0);
	KUNIT_EXPECT_EQ(test, r->res, res);
	if (res > 0)
		KUNIT_EXPECT_EQ(test, r->iocb.ki_pos & ~PAGE_MASK, 0);
}

/*
 * Starts a thread, and expects that it waits as long as the bio of the request is
 * held back. The device executes all other bios.
 */
static void expect_blocked(struct kunit *test, struct atomic_fixture *fx,
			   struct other *o)
{
	KUNIT_EXPECT_EQ(test, msyncfs_fake_held(fx->fake), 1);
	msyncfs_fake_hold(fx->fake, 0);
	other_start(test, o);
	msleep(300);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o->done));
	msyncfs_fake_release(fx->fake);
}

/* ---- requests -------------------------------------------------------------- */

/* Two requests are with the device at the same time. */
static void direct_queued(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct request a, b;
	bool write;

	for (write = false; ; write = true) {
		msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_READ |
				  MSYNCFS_FAKE_WRITE);
		KUNIT_EXPECT_EQ(test, send(test, &a, fx, write, 0, 4, 2, 0),
				-EIOCBQUEUED);
		KUNIT_EXPECT_EQ(test, send(test, &b, fx, write, 2, 4, 3, 0),
				-EIOCBQUEUED);
		KUNIT_EXPECT_EQ(test, msyncfs_fake_held(fx->fake), 2);
		KUNIT_EXPECT_FALSE(test, completion_done(&a.done));
		msyncfs_fake_release(fx->fake);
		expect_result(test, &a, 4 * PAGE_SIZE);
		expect_result(test, &b, 4 * PAGE_SIZE);
		if (write)
			break;
		KUNIT_EXPECT_NULL(test, memchr_inv(a.buf, 1, 4 * PAGE_SIZE));
		KUNIT_EXPECT_NULL(test, memchr_inv(b.buf, 1, 4 * PAGE_SIZE));
	}
	files_expect(test, fx->file, 0, 2, 2);
	files_expect(test, fx->file, 2, 4, 3);
	files_expect(test, fx->file, 6, PAGES - 6, 1);
}

/* The end of a request that the device fails reports the error. */
static void direct_error(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct request r;

	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 0, 4, 2, 0),
			-EIOCBQUEUED);
	msyncfs_fake_release(fx->fake);
	expect_result(test, &r, -EIO);
	KUNIT_EXPECT_EQ(test, r.iocb.ki_pos, 0);
}

/* The data of an O_DSYNC write is durable when the request is complete. */
static void direct_dsync(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct request r;

	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 4, 4, 2, IOCB_DSYNC),
			-EIOCBQUEUED);
	msyncfs_fake_release(fx->fake);
	expect_result(test, &r, 4 * PAGE_SIZE);
	model_crash(test, fx, 0);
	msyncfs_fake_close(fx->fake, fx->file);
	fx->file = msyncfs_fake_open(fx->fake, "g", O_RDWR);
	files_expect(test, fx->file, 0, 4, 1);
	files_expect(test, fx->file, 4, 4, 2);
	files_expect(test, fx->file, 8, 8, 1);
}

static struct request *tail_request;

static loff_t do_submit_tail(struct atomic_fixture *fx)
{
	return submit(tail_request);
}

/* Sends tail_request in another thread, and waits until the device holds its bio back. */
static void start_tail(struct kunit *test, struct other *o)
{
	other_start(test, o);
	while (!msyncfs_fake_held(o->fx->fake) && !READ_ONCE(o->done))
		msleep(20);
}

/*
 * The last block of the file is not full, so the end of the write goes through the
 * page cache. The request is not complete before.
 */
static void direct_tail(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct other o = { .fx = fx, .what = do_submit_tail };
	loff_t size = (PAGES - 1) * PAGE_SIZE + 2048;
	struct request r;
	u8 buf[2];

	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, size), 0);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	init(test, &r, fx, true, PAGES - 3, 3, 2, 0);
	iov_iter_truncate(&r.iter, 2 * PAGE_SIZE + 2048);
	tail_request = &r;
	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	start_tail(test, &o);
	msleep(300);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	msyncfs_fake_release(fx->fake);
	other_end(test, &o, 2 * PAGE_SIZE + 2048);
	files_expect(test, fx->file, PAGES - 3, 2, 2);
	size--;
	KUNIT_EXPECT_EQ(test, kernel_read(fx->file, buf, 2, &size), 1);
	KUNIT_EXPECT_EQ(test, buf[0], 2);
}

/* A page that is read into the cache during a write does not stay there. */
static void direct_stale(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct request r;

	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 0, 4, 2, 0),
			-EIOCBQUEUED);
	files_expect(test, fx->file, 0, 4, 1);
	msyncfs_fake_release(fx->fake);
	expect_result(test, &r, 4 * PAGE_SIZE);
	files_expect(test, fx->file, 0, 4, 2);
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), 0);
}

static loff_t do_cut(struct atomic_fixture *fx)
{
	return files_truncate(fx->file, 2 * PAGE_SIZE + 2048);
}

/*
 * A truncation zeroes a part of its last page. It waits until the write has dropped the
 * old page. The lock of another page delays the write.
 */
static void direct_cut(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct other o = { .fx = fx, .what = do_cut };
	loff_t pos = 2 * PAGE_SIZE;
	u8 *buf = kunit_kzalloc(test, 2048, GFP_KERNEL);
	struct folio *folio;
	struct request r;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 0, 4, 2, 0),
			-EIOCBQUEUED);
	files_expect(test, fx->file, 0, 4, 1);
	folio = filemap_lock_folio(fx->file->f_mapping, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	msyncfs_fake_release(fx->fake);
	other_start(test, &o);
	msleep(300);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	folio_unlock(folio);
	folio_put(folio);
	expect_result(test, &r, 4 * PAGE_SIZE);
	other_end(test, &o, 0);
	KUNIT_EXPECT_EQ(test, kernel_read(fx->file, buf, 2048, &pos), 2048);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf, 2, 2048));
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), 0);
}

/* A file grows while a read waits for the device. The read gets the rest in its place. */
static void direct_grows(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct other o = { .fx = fx, .what = do_submit_tail };
	loff_t pos = (PAGES - 1) * PAGE_SIZE + 2000;
	u8 *more = kunit_kmalloc(test, 2096, GFP_KERNEL);
	struct request r;

	KUNIT_ASSERT_NOT_NULL(test, more);
	memset(more, 3, 2096);
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, pos), 0);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	init(test, &r, fx, false, PAGES - 2, 2, 0, 0);
	r.iocb.ki_complete = NULL;
	tail_request = &r;
	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_READ);
	start_tail(test, &o);
	msyncfs_fake_hold(fx->fake, 0);
	KUNIT_EXPECT_EQ(test, kernel_write(fx->file, more, 2096, &pos), 2096);
	msyncfs_fake_release(fx->fake);
	other_end(test, &o, 2 * PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, memchr_inv(r.buf, 1, PAGE_SIZE + 2000));
	KUNIT_EXPECT_NULL(test, memchr_inv(r.buf + PAGE_SIZE + 2000, 3, 2096));
}

/* A request that must not wait fails instead. */
static void direct_nowait(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct inode *inode = file_inode(fx->file);
	struct request r;
	bool write;

	for (write = false; ; write = true) {
		inode_lock(inode);
		KUNIT_EXPECT_EQ(test, send(test, &r, fx, write, 0, 1, 1,
					   IOCB_NOWAIT), -EAGAIN);
		inode_unlock(inode);
		mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
		KUNIT_EXPECT_EQ(test, send(test, &r, fx, write, 0, 1, 1,
					   IOCB_NOWAIT), -EAGAIN);
		mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
		msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_READ |
				  MSYNCFS_FAKE_WRITE);
		KUNIT_EXPECT_EQ(test, send(test, &r, fx, write, 0, 2, 1,
					   IOCB_NOWAIT), -EIOCBQUEUED);
		msyncfs_fake_release(fx->fake);
		expect_result(test, &r, 2 * PAGE_SIZE);
		if (write)
			break;
	}
	/* Beyond the end, over a dirty page, over an image in the log. */
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, PAGES - 1, 2, 1,
				   IOCB_NOWAIT), -EAGAIN);
	files_write(test, fx->file, 3, 1, 2);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 0, 4, 3, IOCB_NOWAIT),
			-EAGAIN);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, false, 0, 4, 0, IOCB_NOWAIT),
			-EAGAIN);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	invalidate_mapping_pages(fx->file->f_mapping, 0, -1);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 0, 4, 3, IOCB_NOWAIT),
			-EAGAIN);
	files_expect(test, fx->file, 0, 3, 1);
	files_expect(test, fx->file, 3, 1, 2);
}

/* ---- other tasks ----------------------------------------------------------- */

static loff_t do_fsync(struct atomic_fixture *fx)
{
	return vfs_fsync(fx->file, 0);
}

/* As do_fsync(). The file may have collided with a store. */
static loff_t do_fsync_collided(struct atomic_fixture *fx)
{
	int err = vfs_fsync(fx->file, 0);

	return err == -EIO ? 0 : err;
}

static loff_t do_shrink(struct atomic_fixture *fx)
{
	return files_truncate(fx->file, PAGE_SIZE);
}

static loff_t do_punch(struct atomic_fixture *fx)
{
	return files_punch(fx->file, 0, PAGES);
}

static loff_t do_freeze(struct atomic_fixture *fx)
{
	return msyncfs_kunit_freeze(fx->fake->sb);
}

static loff_t do_readonly(struct atomic_fixture *fx)
{
	return msyncfs_gate_close(fx->fake->sb, MSYNCFS_SB_RDONLY, true);
}

/*
 * B2: no record gets an image of a block that the device is writing. Perhaps the
 * write cannot drop the page that was stored to meanwhile. Then fsync() reports
 * this once.
 */
static void direct_record(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct other o = { .fx = fx, .what = do_fsync_collided };
	struct request r;

	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, true, 0, 4, 2, 0),
			-EIOCBQUEUED);
	/* Pages 0 and 8 get images. */
	files_write(test, fx->file, 0, 1, 3);
	files_write(test, fx->file, 8, 1, 3);
	expect_blocked(test, fx, &o);
	other_end(test, &o, 0);
	expect_result(test, &r, 4 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, do_fsync_collided(fx), 0);
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	model_crash(test, fx, 0);
	msyncfs_fake_close(fx->fake, fx->file);
	fx->file = msyncfs_fake_open(fx->fake, "g", O_RDWR);
	files_expect(test, fx->file, 0, 1, 3);
	files_expect(test, fx->file, 1, 3, 2);
	files_expect(test, fx->file, 4, 4, 1);
	files_expect(test, fx->file, 8, 1, 3);
}

/* A record of copies frees no block, so it does not wait for a read. */
static void direct_record_read(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test);
	struct other o = { .fx = fx, .what = do_fsync };
	struct request r;

	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_READ);
	KUNIT_EXPECT_EQ(test, send(test, &r, fx, false, 0, 4, 0, 0),
			-EIOCBQUEUED);
	files_write(test, fx->file, 8, 1, 3);
	other_start(test, &o);
	other_end(test, &o, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_held(fx->fake), 1);
	msyncfs_fake_release(fx->fake);
	expect_result(test, &r, 4 * PAGE_SIZE);
}

/* Tasks that change the blocks of the file, or close the gate, wait. */
static const struct waiter {
	const char	*name;
	loff_t		(*what)(struct atomic_fixture *fx);
	bool		reads;
} waiters[] = {
	{ "truncate", do_shrink, true },
	{ "punch", do_punch, true },
	{ "freeze", do_freeze, false },
	{ "read-only", do_readonly, false },
};

KUNIT_ARRAY_PARAM_DESC(waiter, waiters, name);

static void direct_waits(struct kunit *test)
{
	const struct waiter *w = test->param_value;
	struct atomic_fixture *fx = setup(test);
	struct other o = { .fx = fx, .what = w->what };
	struct request r;
	bool write;

	for (write = !w->reads; ; write = true) {
		msyncfs_fake_hold(fx->fake, write ? MSYNCFS_FAKE_WRITE :
						    MSYNCFS_FAKE_READ);
		KUNIT_EXPECT_EQ(test, send(test, &r, fx, write, 0, 4, 2, 0),
				-EIOCBQUEUED);
		WRITE_ONCE(o.done, false);
		expect_blocked(test, fx, &o);
		other_end(test, &o, 0);
		expect_result(test, &r, 4 * PAGE_SIZE);
		if (write)
			break;
		files_truncate(fx->file, 0);
		files_write(test, fx->file, 0, PAGES, 1);
		KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
		KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
		invalidate_mapping_pages(fx->file->f_mapping, 0, -1);
	}
	if (w->what == do_freeze)
		KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(fx->fake->sb), 0);
}

static struct kunit_case direct_cases[] = {
	KUNIT_CASE(direct_queued),
	KUNIT_CASE(direct_error),
	KUNIT_CASE(direct_dsync),
	KUNIT_CASE(direct_tail),
	KUNIT_CASE(direct_stale),
	KUNIT_CASE(direct_cut),
	KUNIT_CASE(direct_grows),
	KUNIT_CASE(direct_nowait),
	KUNIT_CASE(direct_record),
	KUNIT_CASE(direct_record_read),
	KUNIT_CASE_PARAM(direct_waits, waiter_gen_params),
	{ }
};

static struct kunit_suite direct_suite = {
	.name = "msyncfs_direct",
	.test_cases = direct_cases,
};

kunit_test_suite(direct_suite);
