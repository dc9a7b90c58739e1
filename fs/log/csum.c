// SPDX-License-Identifier: GPL-2.0
/*
 * This file chooses the checksum of the images in the records that this module
 * writes. A CPU with the instructions for it computes the CRC-32C faster. A CPU
 * without them, and an emulated CPU, computes the xxh64 faster. Recovery reads
 * the kind from the record.
 */
#define pr_fmt(fmt) "msyncfs: " fmt

#include <kunit/visibility.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/preempt.h>

#include "txn.h"

/* The first rounds fill the caches and wake up the vector unit. */
#define MSYNCFS_CSUM_ROUNDS	16

u32 msyncfs_csum_kind __read_mostly;
EXPORT_SYMBOL_IF_KUNIT(msyncfs_csum_kind);

/* Return the shortest time in nanoseconds that the checksum of a page takes. */
static u64 __init msyncfs_csum_time(u32 kind)
{
	static const struct msyncfs_geo geo;
	u64 best = U64_MAX, start;
	unsigned int i;

	for (i = 0; i < MSYNCFS_CSUM_ROUNDS; i++) {
		preempt_disable();
		start = ktime_get_ns();
		msyncfs_image_csum(&geo, kind, page_address(ZERO_PAGE(0)));
		best = min(best, ktime_get_ns() - start);
		preempt_enable();
	}
	return best;
}

/**
 * msyncfs_csum_init() - choose the faster checksum for this CPU
 *
 * Context: the module is being loaded.
 */
void __init msyncfs_csum_init(void)
{
	u64 crc = msyncfs_csum_time(MSYNCFS_CSUM_CRC32C);
	u64 xxh = msyncfs_csum_time(MSYNCFS_CSUM_XXH64);

	if (xxh < crc)
		msyncfs_csum_kind = MSYNCFS_CSUM_XXH64;
	pr_info("log checksum: %s; CRC-32C %llu ns, xxh64 %llu ns for a page\n",
		xxh < crc ? "xxh64" : "CRC-32C", crc, xxh);
}
