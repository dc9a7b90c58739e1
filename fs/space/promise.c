// SPDX-License-Identifier: GPL-2.0
/*
 * Promises: blocks that are reserved for later, and blocks that are held for an
 * operation under way.
 */
#include <kunit/visibility.h>

#include "fs/fs.h"

/* How long msyncfs_firm() waits for blocks that others hold: 100 ticks. */
#define MSYNCFS_FIRM_TRIES	100
#define MSYNCFS_FIRM_TICK	(HZ / 10)

/**
 * msyncfs_claim_done - the promises of allocated blocks end
 * @sb: filesystem
 * @claimed: blocks that were both taken and promised so far
 * @kept: blocks whose promise ends: these, and what turns out not to be needed
 *
 * In one step, so that a block never counts twice, nor as free.
 *
 * Context: may sleep on alloc_lock.
 */
void msyncfs_claim_done(struct super_block *sb, u64 claimed, u64 kept)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	mutex_lock(&sbi->alloc_lock);
	msyncfs_take(&sbi->claimed, claimed);
	msyncfs_take(&sbi->reserved, kept);
	mutex_unlock(&sbi->alloc_lock);
	wake_up_all(&sbi->alloc_wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_claim_done);

/* Promises @nr blocks if @spare blocks are left then. */
static int msyncfs_promise(struct msyncfs_sb_info *sbi, u64 nr, u64 spare)
{
	int err = -ENOSPC;
	u64 room, kept;

	mutex_lock(&sbi->alloc_lock);
	room = sbi->free + sbi->pending + sbi->claimed;
	kept = sbi->reserved + spare;
	if (room >= kept && room - kept >= nr) {
		sbi->reserved += nr;
		err = 0;
	}
	mutex_unlock(&sbi->alloc_lock);
	return err;
}

/**
 * msyncfs_reserve - promise blocks to somebody who will allocate them later
 * @sb: filesystem
 * @nr: blocks
 *
 * Freed blocks that are not reusable yet count: whoever allocates may wait for
 * them, which the caller may not. The spare ones do not.
 *
 * Context: may sleep on alloc_lock, never waits for a commit (P4).
 * Return: 0, -ENOSPC.
 */
int msyncfs_reserve(struct super_block *sb, u64 nr)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	return msyncfs_promise(sbi, nr, sbi->spare);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_reserve);

/**
 * msyncfs_unreserve - take a promise back
 * @sb: filesystem
 * @nr: blocks of it
 *
 * Context: may sleep on alloc_lock.
 */
void msyncfs_unreserve(struct super_block *sb, u64 nr)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	mutex_lock(&sbi->alloc_lock);
	msyncfs_take(&sbi->reserved, nr);
	mutex_unlock(&sbi->alloc_lock);
	wake_up_all(&sbi->alloc_wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_unreserve);

/* Takes @nr of the free blocks; on failure, says what waiting could bring. */
static bool msyncfs_try_firm(struct msyncfs_sb_info *sbi, u64 nr, u64 *pending,
			     u64 *held)
{
	bool done = false;

	mutex_lock(&sbi->alloc_lock);
	if (sbi->free >= sbi->firm && sbi->free - sbi->firm >= nr) {
		sbi->firm += nr;
		done = true;
	}
	*pending = sbi->pending;
	*held = sbi->firm;
	mutex_unlock(&sbi->alloc_lock);
	return done;
}

/* A look without the lock: who waits on it looks again, properly. */
static bool msyncfs_may_firm(struct msyncfs_sb_info *sbi, u64 nr)
{
	return READ_ONCE(sbi->free) >= READ_ONCE(sbi->firm) + nr;
}

/* B3: before any ENOSPC, commit and checkpoint. */
static int msyncfs_settle_space(struct super_block *sb)
{
	int err = msyncfs_commit_all(sb);

	return err ? err : msyncfs_checkpoint(sb);
}

static int msyncfs_wait_firm(struct super_block *sb, u64 nr)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 pending, held;
	int tries, err;

	for (tries = 0; tries < MSYNCFS_FIRM_TRIES; tries++) {
		if (msyncfs_try_firm(sbi, nr, &pending, &held))
			return 0;
		if (!pending && !held)
			break;
		if (pending) {
			err = msyncfs_settle_space(sb);
			if (err)
				return err;
			if (msyncfs_may_firm(sbi, nr))
				continue;
		}
		wait_event_timeout(sbi->alloc_wait, msyncfs_may_firm(sbi, nr),
				   MSYNCFS_FIRM_TICK);
	}
	return -ENOSPC;
}

static int msyncfs_firm_beyond(struct super_block *sb, u64 nr, u64 spare)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	int err = msyncfs_promise(sbi, nr, spare);

	if (err) {
		/* Ends the operations that hold more than they need. */
		err = msyncfs_settle_space(sb) ?:
		      msyncfs_promise(sbi, nr, spare);
	}
	if (err)
		return err;
	err = msyncfs_wait_firm(sb, nr);
	if (err)
		msyncfs_unreserve(sb, nr);
	return err;
}

/**
 * msyncfs_firm - get hold of blocks that are free now
 * @sb: filesystem
 * @nr: blocks
 * @resv: they have been promised by msyncfs_reserve() already
 *
 * Blocks that are freed but not reusable are made so by a commit and a
 * checkpoint; blocks that other operations hold and may not need are waited
 * for, some seconds at most. What is held is used up by msyncfs_claim() and
 * msyncfs_alloc(), the rest goes back with msyncfs_unfirm().
 *
 * Context: waits for commits: not inside an operation, nor under anything that
 * P4 names.
 * Return: 0, -ENOSPC, or the error of the commit or checkpoint.
 */
int msyncfs_firm(struct super_block *sb, u64 nr, bool resv)
{
	if (resv)
		return msyncfs_wait_firm(sb, nr);
	return msyncfs_firm_beyond(sb, nr, MSYNCFS_SB(sb)->spare);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_firm);

/**
 * msyncfs_firm_spare - get hold of blocks for what has to succeed when all is full
 * @sb: filesystem
 * @nr: blocks, of which as many as can be expected will be free again: map nodes
 *	that take the place of others
 *
 * As msyncfs_firm() of blocks that have not been promised; but those that are
 * kept back for this are part of it.
 *
 * Context: as msyncfs_firm().
 * Return: as msyncfs_firm().
 */
int msyncfs_firm_spare(struct super_block *sb, u64 nr)
{
	return msyncfs_firm_beyond(sb, nr, 0);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_firm_spare);

/**
 * msyncfs_unfirm - give back what is left of msyncfs_firm()
 * @sb: filesystem
 * @nr: blocks
 * @resv: as given to msyncfs_firm()
 *
 * Context: may sleep on alloc_lock.
 */
void msyncfs_unfirm(struct super_block *sb, u64 nr, bool resv)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	mutex_lock(&sbi->alloc_lock);
	msyncfs_take(&sbi->firm, nr);
	if (!resv)
		msyncfs_take(&sbi->reserved, nr);
	mutex_unlock(&sbi->alloc_lock);
	wake_up_all(&sbi->alloc_wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_unfirm);

/**
 * msyncfs_alloc_avail - blocks that a new user could get
 * @sb: filesystem
 *
 * Return: free blocks, those included that become reusable, less promises and
 * spare ones.
 */
u64 msyncfs_alloc_avail(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 room, promised;

	mutex_lock(&sbi->alloc_lock);
	room = sbi->free + sbi->pending + sbi->claimed;
	promised = sbi->reserved + sbi->spare;
	mutex_unlock(&sbi->alloc_lock);
	return room > promised ? room - promised : 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_alloc_avail);
