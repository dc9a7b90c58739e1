// SPDX-License-Identifier: GPL-2.0
/*
 * This file starts and ends the writeback of several folios in one step. The
 * functions of the kernel take one folio. For each folio they change up to seven
 * counters, and take the lock of the page cache. In a large msync, this would
 * take a fifth of the time.
 *
 * The kernel has lists of the inodes and the devices under writeback. It adds an
 * inode when the writeback of its first folio starts, and removes the inode when
 * its last folio is written. A module cannot change these lists. So each batch
 * calls folio_start_writeback() for its first folio, and folio_end_writeback()
 * for its last folio.
 */
#include <kunit/visibility.h>
#include <linux/backing-dev.h>
#include <linux/bio.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "disk.h"

/* The lock of the page cache is held for at most this number of folios. */
#define MSYNCFS_WB_BATCH	32

/**
 * struct msyncfs_wb_batch - folios whose writeback starts or ends together
 * @mapping: mapping of all folios
 * @nr: number of @folios
 * @folios: the folios
 */
struct msyncfs_wb_batch {
	struct address_space	*mapping;
	unsigned int		nr;
	struct folio		*folios[MSYNCFS_WB_BATCH];
};

/* Counts the folios as under writeback (@sign is 1), or as written (-1). */
static void msyncfs_wb_count(struct msyncfs_wb_batch *b, int sign)
{
	struct folio **folios = b->folios;
	unsigned int i;
	long len;

	wb_stat_mod(msyncfs_wb(b->mapping), WB_WRITEBACK, sign * (long)b->nr);
	for (i = 0; i < b->nr; i += len) {
		len = msyncfs_counted_alike(folios + i, b->nr - i);
		lruvec_stat_mod_folio(folios[i], NR_WRITEBACK, sign * len);
		zone_stat_mod_folio(folios[i], NR_ZONE_WRITE_PENDING,
				    sign * len);
		if (sign < 0)
			node_stat_mod_folio(folios[i], NR_WRITTEN, len);
	}
}

/* Sets @xas to the entry of @folio. Caller holds the lock of the page cache. */
static void msyncfs_wb_seek(struct xa_state *xas, const struct folio *folio)
{
	if (xas->xa_node != XAS_RESTART && folio->index == xas->xa_index + 1) {
		xas_next(xas);
		return;
	}
	xas_set(xas, folio->index);
	xas_load(xas);
}

/**
 * msyncfs_start_writeback - start the writeback of folios of one file
 * @folios: folios of one mapping in ascending order, locked and clean
 * @nr: number of @folios, at most FOLIO_BATCH_SIZE
 *
 * This function is folio_start_writeback() for several folios. The folios lose
 * the tag "dirty".
 *
 * Context: any.
 */
void msyncfs_start_writeback(struct folio **folios, unsigned int nr)
{
	struct msyncfs_wb_batch b = { .mapping = folios[0]->mapping };
	XA_STATE(xas, &b.mapping->i_pages, 0);
	struct folio *folio;

	folio_start_writeback(*folios++);
	if (!--nr)
		return;
	xas_lock_irq(&xas);
	for (; nr; nr--) {
		folio = *folios++;
		msyncfs_wb_seek(&xas, folio);
		folio_test_set_writeback(folio);
		xas_set_mark(&xas, PAGECACHE_TAG_WRITEBACK);
		/* A holder of a reference may set the flag without the lock. */
		if (!folio_test_dirty(folio))
			xas_clear_mark(&xas, PAGECACHE_TAG_DIRTY);
		xas_clear_mark(&xas, PAGECACHE_TAG_TOWRITE);
		b.folios[b.nr++] = folio;
	}
	xas_unlock_irq(&xas);
	msyncfs_wb_count(&b, 1);
	for (nr = 0; nr < b.nr; nr++)
		WARN_ON_ONCE(arch_make_folio_accessible(b.folios[nr]));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_start_writeback);

/*
 * Clears the writeback flag of a folio. Returns false if a task waits for the
 * folio, if memory reclaim wants it, or if tasks in reclaim wait until folios of
 * the node are written. Then the flag stays, because only folio_end_writeback()
 * can wake the tasks and give the folio to reclaim.
 */
static bool msyncfs_clear_writeback(struct folio *folio)
{
	const unsigned long keep = BIT(PG_waiters) | BIT(PG_reclaim);
	unsigned long *word = folio_flags(folio, 0);
	unsigned long flags = READ_ONCE(*word);

	if (atomic_read(&folio_pgdat(folio)->nr_writeback_throttled))
		return false;
	do {
		if (flags & keep)
			return false;
	} while (!try_cmpxchg_release(word, &flags,
				      flags & ~BIT(PG_writeback)));
	return true;
}

/*
 * Ends the writeback of the folios of @b for which nobody waits, except the last
 * folio. The other folios stay in @b.
 */
static void msyncfs_wb_end_quiet(struct msyncfs_wb_batch *b)
{
	struct bdi_writeback *wb = msyncfs_wb(b->mapping);
	struct msyncfs_wb_batch quiet = { .mapping = b->mapping };
	XA_STATE(xas, &b->mapping->i_pages, 0);
	unsigned int i, last = b->nr - 1;
	unsigned long flags;

	b->nr = 0;
	xas_lock_irqsave(&xas, flags);
	for (i = 0; i <= last; i++) {
		struct folio *folio = b->folios[i];

		if (i == last || !msyncfs_clear_writeback(folio)) {
			b->folios[b->nr++] = folio;
			continue;
		}
		msyncfs_wb_seek(&xas, folio);
		xas_clear_mark(&xas, PAGECACHE_TAG_WRITEBACK);
		quiet.folios[quiet.nr++] = folio;
		/* The kernel estimates the speed of the device from this count. */
		wb_writeout_inc(wb);
	}
	xas_unlock_irqrestore(&xas, flags);
	msyncfs_wb_count(&quiet, -1);
}

/* Ends the writeback of a batch, which becomes empty. */
static void msyncfs_wb_end(struct msyncfs_wb_batch *b)
{
	unsigned int i;

	if (MSYNCFS_END_BATCHES && b->nr > 1 && b->mapping)
		msyncfs_wb_end_quiet(b);
	for (i = 0; i < b->nr; i++)
		folio_end_writeback(b->folios[i]);
	b->nr = 0;
}

/**
 * msyncfs_end_writeback - end the writeback of the folios of a bio
 * @bio: completed write; the caller has references to its folios
 *
 * This function is folio_end_writeback() for several folios.
 *
 * Context: any, also interrupts.
 */
void msyncfs_end_writeback(struct bio *bio)
{
	struct msyncfs_wb_batch b = {};
	struct folio_iter fi;

	bio_for_each_folio_all(fi, bio) {
		if (b.nr == MSYNCFS_WB_BATCH || b.mapping != fi.folio->mapping)
			msyncfs_wb_end(&b);
		b.mapping = fi.folio->mapping;
		b.folios[b.nr++] = fi.folio;
	}
	msyncfs_wb_end(&b);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_end_writeback);
