/* SPDX-License-Identifier: GPL-2.0 */
/*
 * If the module parameter "broken" names a rule of Documentation/rules.rst, the
 * module breaks this rule. A test uses the parameter to check that the crash
 * explorer notices a broken rule. Only a module that is built with
 * MSYNCFS_BREAK has this parameter. In any other module msyncfs_breaks() is
 * always false, and fs/disk/break.c is not built.
 */
#ifndef MSYNCFS_BREAK_H
#define MSYNCFS_BREAK_H

/**
 * enum msyncfs_broken - the rule that is broken
 * @MSYNCFS_BROKEN_NONE: every rule is kept
 * @MSYNCFS_BROKEN_FLUSH: no flush is sent (G1)
 * @MSYNCFS_BROKEN_CHECKSUM: recovery accepts a wrong checksum (R4)
 * @MSYNCFS_BROKEN_REUSE: freed blocks are reusable at once (B3)
 * @MSYNCFS_BROKEN_HOME: images are written home before their record (B1)
 * @MSYNCFS_BROKEN_ACK: msync returns before its record is durable (R2)
 * @MSYNCFS_BROKEN_FUA: no flush precedes a record of fresh blocks (R3)
 * @MSYNCFS_BROKEN_FREEZE: stores continue during a capture (G3)
 * @MSYNCFS_BROKEN_FAILED: a failed record is not overwritten (R5)
 * @MSYNCFS_BROKEN_ORPHAN: no inode enters the orphan list (B5)
 * @MSYNCFS_BROKEN_SPILL: writeback commits an atomic file (R1)
 * @MSYNCFS_NR_BROKEN: number of the values above
 */
enum msyncfs_broken {
	MSYNCFS_BROKEN_NONE,
	MSYNCFS_BROKEN_FLUSH,
	MSYNCFS_BROKEN_CHECKSUM,
	MSYNCFS_BROKEN_REUSE,
	MSYNCFS_BROKEN_HOME,
	MSYNCFS_BROKEN_ACK,
	MSYNCFS_BROKEN_FUA,
	MSYNCFS_BROKEN_FREEZE,
	MSYNCFS_BROKEN_FAILED,
	MSYNCFS_BROKEN_ORPHAN,
	MSYNCFS_BROKEN_SPILL,
	MSYNCFS_NR_BROKEN
};

#ifdef MSYNCFS_BREAK
extern unsigned int msyncfs_broken;

/**
 * msyncfs_breaks() - tell whether a rule is to be broken
 * @rule: name of the rule, without the prefix MSYNCFS_BROKEN_
 *
 * Context: any.
 * Return: true if the parameter "broken" names @rule.
 */
#define msyncfs_breaks(rule)	(READ_ONCE(msyncfs_broken) == \
				 MSYNCFS_BROKEN_##rule)
#else
#define msyncfs_breaks(rule)	(MSYNCFS_BROKEN_##rule == MSYNCFS_NR_BROKEN)
#endif

#endif /* MSYNCFS_BREAK_H */
