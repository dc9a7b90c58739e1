/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Breaking the rules of Documentation/design.rst one at a time, to see that the
 * crash explorer notices. Only in modules built with MSYNCFS_BREAK; elsewhere
 * this is nothing, and fs/break.c is not built. The module parameter "broken"
 * says which rule, by name.
 */
#ifndef MSYNCFS_BREAK_H
#define MSYNCFS_BREAK_H

enum msyncfs_broken {
	MSYNCFS_BROKEN_NONE,
	MSYNCFS_BROKEN_FLUSH,		/* no flush is sent (G1) */
	MSYNCFS_BROKEN_CHECKSUM,	/* records need none to be replayed (R4) */
	MSYNCFS_BROKEN_REUSE,		/* freed blocks are free at once (B3) */
	MSYNCFS_BROKEN_HOME,		/* images go home before the record (B1) */
	MSYNCFS_BROKEN_ACK,		/* a commit is done before it begins (R2) */
	MSYNCFS_BROKEN_FUA,		/* FUA does for a flush before it (R3) */
	MSYNCFS_BROKEN_FREEZE,		/* stores go on during a capture (G3) */
	MSYNCFS_BROKEN_FAILED,		/* a failed record stays in place (R5) */
	MSYNCFS_BROKEN_ORPHAN,		/* no inode gets on the orphan list (B5) */
	MSYNCFS_BROKEN_SPILL,		/* a spill is a commit (R1) */
	MSYNCFS_NR_BROKEN
};

#ifdef MSYNCFS_BREAK
extern unsigned int msyncfs_broken;

#define msyncfs_breaks(rule)	(READ_ONCE(msyncfs_broken) == \
				 MSYNCFS_BROKEN_##rule)
#else
#define msyncfs_breaks(rule)	(MSYNCFS_BROKEN_##rule == MSYNCFS_NR_BROKEN)
#endif

#endif /* MSYNCFS_BREAK_H */
