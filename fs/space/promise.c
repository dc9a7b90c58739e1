// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps promises and holds. A promise counts blocks for a task that
 * will allocate them later. A hold sets free blocks aside for an operation
 * under way. The functions here decide whether a caller gets space. If the
 * caller may wait, the functions wait for space. alloc.c chooses the blocks.
 */
#include <kunit/visibility.h>

#include "alloc.h"

/*
 * msyncfs_hold() waits for free blocks at most 100 times, each time for at most
 * 100 ms.
 */
#define MSYNCFS_HOLD_TRIES	100
#define MSYNCFS_HOLD_TICK	(HZ / 10)

/**
 * msyncfs_claim_done - end the promises of allocated blocks
 * @sb: filesystem
 * @claimed: number to subtract from space->claimed
 * @fulfilled: number of blocks whose promise ends. This number may include
 *	promised blocks that nobody needs any more
 *
 * Both counters change in one step. Otherwise other tasks could count a block
 * twice, or could count a used block as free.
 *
 * Context: takes space->lock; may sleep.
 */
void msyncfs_claim_done(struct super_block *sb, u64 claimed, u64 fulfilled)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);

	mutex_lock(&space->lock);
	msyncfs_subtract(&space->claimed, claimed);
	msyncfs_subtract(&space->reserved, fulfilled);
	mutex_unlock(&space->lock);
	wake_up_all(&space->wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_claim_done);

/* Promises @nr blocks if at least @spare blocks stay without a promise. */
static int msyncfs_promise(struct msyncfs_space *space, u64 nr, u64 spare)
{
	int err = -ENOSPC;
	u64 room, promised;

	mutex_lock(&space->lock);
	room = msyncfs_space_room(space);
	promised = space->reserved + spare;
	if (room >= promised && room - promised >= nr) {
		space->reserved += nr;
		err = 0;
	}
	mutex_unlock(&space->lock);
	return err;
}

/**
 * msyncfs_reserve - promise blocks for a later allocation
 * @sb: filesystem
 * @nr: number of blocks
 *
 * The function may promise freed blocks that are not reusable yet. The function
 * does not wait until freed blocks are reusable. Later, msyncfs_hold() may wait
 * for that before the blocks are allocated. The function does not promise spare
 * blocks.
 *
 * Context: takes space->lock; may sleep, never waits for a commit (P4).
 * Return: 0 or -ENOSPC.
 */
int msyncfs_reserve(struct super_block *sb, u64 nr)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);

	return msyncfs_promise(space, nr, space->spare);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_reserve);

/**
 * msyncfs_unreserve - take a promise back
 * @sb: filesystem
 * @nr: number of promised blocks
 *
 * Context: takes space->lock; may sleep.
 */
void msyncfs_unreserve(struct super_block *sb, u64 nr)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);

	mutex_lock(&space->lock);
	msyncfs_subtract(&space->reserved, nr);
	mutex_unlock(&space->lock);
	wake_up_all(&space->wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_unreserve);

/*
 * Holds @nr blocks if so many are free. Returns true if the function holds the
 * blocks. Sets *@freed and *@held to the counters space->freed and space->held.
 * The two counters tell the caller whether blocks may become available later.
 */
static bool msyncfs_try_hold(struct msyncfs_space *space, u64 nr, u64 *freed,
			     u64 *held)
{
	bool done = false;

	mutex_lock(&space->lock);
	if (space->free >= space->held && space->free - space->held >= nr) {
		space->held += nr;
		done = true;
	}
	*freed = space->freed;
	*held = space->held;
	mutex_unlock(&space->lock);
	return done;
}

/*
 * Returns whether @nr blocks seem to be free. The result is only a hint,
 * because the function takes no lock. msyncfs_try_hold() decides.
 */
static bool msyncfs_may_hold(struct msyncfs_space *space, u64 nr)
{
	return READ_ONCE(space->free) >= READ_ONCE(space->held) + nr;
}

/*
 * Holds @nr promised blocks. If too few blocks are free, first makes freed
 * blocks reusable, and waits for blocks that other operations hold (B3).
 */
static int msyncfs_wait_hold(struct super_block *sb, u64 nr)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	u64 freed, held;
	int tries, err;

	for (tries = 0; tries < MSYNCFS_HOLD_TRIES; tries++) {
		if (msyncfs_try_hold(space, nr, &freed, &held))
			return 0;
		if (!freed && !held)
			break;
		if (freed) {
			err = msyncfs_log_empty(sb);
			if (err)
				return err;
			if (msyncfs_may_hold(space, nr))
				continue;
		}
		wait_event_timeout(space->wait, msyncfs_may_hold(space, nr),
				   MSYNCFS_HOLD_TICK);
	}
	return -ENOSPC;
}

/* Promises and holds @nr blocks. See msyncfs_promise() for @spare. */
static int msyncfs_hold_beyond(struct super_block *sb, u64 nr, u64 spare)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	int err = msyncfs_promise(space, nr, spare);

	if (err) {
		/*
		 * Operations under way may have promises that they do not
		 * need. A commit waits until these operations end.
		 */
		err = msyncfs_log_empty(sb) ?:
		      msyncfs_promise(space, nr, spare);
	}
	if (err)
		return err;
	err = msyncfs_wait_hold(sb, nr);
	if (err)
		msyncfs_unreserve(sb, nr);
	return err;
}

/**
 * msyncfs_hold - hold free blocks
 * @sb: filesystem
 * @nr: number of blocks
 * @promised: true if msyncfs_reserve() has already promised the blocks. If
 *	@promised is false, the function first promises the blocks
 *
 * If too few blocks are free, the function makes freed blocks reusable by a
 * commit and a checkpoint. It also waits for about 10 seconds at most, because
 * other operations may give back blocks that they hold and do not need.
 * msyncfs_claim() and msyncfs_alloc() take blocks from the held blocks.
 * msyncfs_unhold() gives back the blocks that stay unused.
 *
 * Context: waits for commits. The caller has no open handle and holds none of
 * the locks that P4 names.
 * Return: 0, -ENOSPC, or the error of the commit or checkpoint.
 */
int msyncfs_hold(struct super_block *sb, u64 nr, bool promised)
{
	if (promised)
		return msyncfs_wait_hold(sb, nr);
	return msyncfs_hold_beyond(sb, nr, MSYNCFS_SPACE(sb)->spare);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_hold);

/**
 * msyncfs_hold_spare - hold blocks for map nodes of an atomic file
 * @sb: filesystem
 * @nr: number of blocks
 *
 * The function does the same as msyncfs_hold() with @promised false, but it may
 * also take spare blocks. So an atomic file can be committed on a full
 * filesystem. Most new nodes replace old nodes, and the commit frees the blocks
 * of the old nodes. So the commit uses up few spare blocks.
 *
 * Context: as msyncfs_hold().
 * Return: as msyncfs_hold().
 */
int msyncfs_hold_spare(struct super_block *sb, u64 nr)
{
	return msyncfs_hold_beyond(sb, nr, 0);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_hold_spare);

/**
 * msyncfs_make_room - recycle freed blocks if too few blocks are free
 * @sb: filesystem
 * @pages: number of pages that will be written to fresh blocks
 *
 * A caller uses this function before it puts pages under writeback, because
 * stores to such pages wait for the end of the writeback. So msyncfs_hold()
 * waits for no commit later, unless other tasks take the blocks first (B6). The
 * function also counts blocks for map nodes. msyncfs_hold() reports errors.
 *
 * Context: as msyncfs_hold().
 */
void msyncfs_make_room(struct super_block *sb, u64 pages)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);

	if (READ_ONCE(space->freed) &&
	    !msyncfs_may_hold(space, pages + pages / 16 + 16))
		msyncfs_log_empty(sb);
}

/**
 * msyncfs_unhold - give back held blocks that were not used
 * @sb: filesystem
 * @nr: number of blocks
 * @promised: the value that the caller gave to msyncfs_hold(); after
 *	msyncfs_hold_spare(), the value is false
 *
 * Context: takes space->lock; may sleep.
 */
void msyncfs_unhold(struct super_block *sb, u64 nr, bool promised)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);

	mutex_lock(&space->lock);
	msyncfs_subtract(&space->held, nr);
	if (!promised)
		msyncfs_subtract(&space->reserved, nr);
	mutex_unlock(&space->lock);
	wake_up_all(&space->wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_unhold);

/**
 * msyncfs_space_avail - count the blocks that can still be promised
 * @sb: filesystem
 *
 * Context: takes space->lock; may sleep.
 * Return: number of blocks that are free or will become reusable, minus the
 * promised blocks and the spare blocks.
 */
u64 msyncfs_space_avail(struct super_block *sb)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	u64 room, promised;

	mutex_lock(&space->lock);
	room = msyncfs_space_room(space);
	promised = space->reserved + space->spare;
	mutex_unlock(&space->lock);
	return room > promised ? room - promised : 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_space_avail);

static int msyncfs_op_hold(struct msyncfs_op *op)
{
	return msyncfs_hold(op->sb, op->blocks, op->promised);
}

static void msyncfs_op_release(struct msyncfs_op *op)
{
	if (op->blocks)
		msyncfs_unhold(op->sb, op->blocks, op->promised);
	if (op->claimed || op->fulfilled)
		msyncfs_claim_done(op->sb, op->claimed, op->fulfilled);
}

/* The log calls fs/space only through these functions. */
const struct msyncfs_log_hooks msyncfs_space_hooks = {
	.hold		= msyncfs_op_hold,
	.release	= msyncfs_op_release,
	.retired	= msyncfs_space_retired,
	.freed		= msyncfs_space_freed,
};
