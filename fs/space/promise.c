// SPDX-License-Identifier: GPL-2.0
/*
 * Promises: blocks that are reserved for later, and blocks that are held for an
 * operation under way.
 */
#include <kunit/visibility.h>

#include "alloc.h"

/* How long msyncfs_hold() waits for blocks that others hold: 100 ticks. */
#define MSYNCFS_HOLD_TRIES	100
#define MSYNCFS_HOLD_TICK	(HZ / 10)

/**
 * msyncfs_claim_done - the promises of allocated blocks end
 * @sb: filesystem
 * @claimed: blocks that were both taken and promised so far
 * @fulfilled: blocks whose promise ends: these, and what turns out not to be needed
 *
 * In one step, so that a block never counts twice, nor as free.
 *
 * Context: may sleep on space->lock.
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

/* Promises @nr blocks if @spare blocks are left then. */
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
 * msyncfs_reserve - promise blocks to somebody who will allocate them later
 * @sb: filesystem
 * @nr: blocks
 *
 * Freed blocks that are not reusable yet count: whoever allocates may wait for
 * them, which the caller may not. The spare ones do not.
 *
 * Context: may sleep on space->lock, never waits for a commit (P4).
 * Return: 0, -ENOSPC.
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
 * @nr: blocks of it
 *
 * Context: may sleep on space->lock.
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

/* Takes @nr of the free blocks; on failure, says what waiting could bring. */
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

/* A look without the lock: who waits on it looks again, properly. */
static bool msyncfs_may_hold(struct msyncfs_space *space, u64 nr)
{
	return READ_ONCE(space->free) >= READ_ONCE(space->held) + nr;
}

/* B3: before any ENOSPC, commit and checkpoint. */
static int msyncfs_recycle(struct super_block *sb)
{
	int err = msyncfs_commit_all(sb);

	return err ? err : msyncfs_checkpoint(sb);
}

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
			err = msyncfs_recycle(sb);
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

static int msyncfs_hold_beyond(struct super_block *sb, u64 nr, u64 spare)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	int err = msyncfs_promise(space, nr, spare);

	if (err) {
		/* Ends the operations that hold more than they need. */
		err = msyncfs_recycle(sb) ?:
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
 * msyncfs_hold - get hold of blocks that are free now
 * @sb: filesystem
 * @nr: blocks
 * @promised: they have been promised by msyncfs_reserve() already
 *
 * Blocks that are freed but not reusable are made so by a commit and a
 * checkpoint; blocks that other operations hold and may not need are waited
 * for, some seconds at most. What is held is used up by msyncfs_claim() and
 * msyncfs_alloc(), the rest goes back with msyncfs_unhold().
 *
 * Context: waits for commits: not inside an operation, nor under anything that
 * P4 names.
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
 * msyncfs_hold_spare - get hold of blocks for what has to succeed when all is full
 * @sb: filesystem
 * @nr: blocks, of which as many as can be expected will be free again: map nodes
 *	that take the place of others
 *
 * As msyncfs_hold() of blocks that have not been promised; but those that are
 * kept back for this are part of it.
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
 * msyncfs_unhold - give back what is left of msyncfs_hold()
 * @sb: filesystem
 * @nr: blocks
 * @promised: as given to msyncfs_hold()
 *
 * Context: may sleep on space->lock.
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
 * msyncfs_space_avail - blocks that a new user could get
 * @sb: filesystem
 *
 * Return: free blocks, those included that become reusable, less promises and
 * spare ones.
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

const struct msyncfs_log_hooks msyncfs_space_hooks = {
	.hold		= msyncfs_op_hold,
	.release	= msyncfs_op_release,
	.retired	= msyncfs_space_retired,
};
