/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header declares the lowest floor: the structure of a mount, messages,
 * abort, shutdown and block I/O. Every floor above includes this header. The
 * on-disk format is in format.h. The trace events are in trace.h.
 */
#ifndef MSYNCFS_DISK_H
#define MSYNCFS_DISK_H

#include <linux/backing-dev.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "fs/disk/format.h"

#define EFSCORRUPTED	EUCLEAN
#define EFSFROZEN	EBUSY

enum msyncfs_errors {		/* mount option errors= */
	MSYNCFS_ERRORS_RO,
	MSYNCFS_ERRORS_SHUTDOWN,
	MSYNCFS_ERRORS_PANIC,
};

enum msyncfs_semantics {	/* mount option msync= */
	MSYNCFS_MSYNC_POSIX,
	MSYNCFS_MSYNC_BSD,
};

/**
 * struct msyncfs_options - mount options
 * @errors: what an abort does (errors=)
 * @semantics: what the flags of msync(2) mean (msync=)
 * @atomic: every regular file is an atomic file (atomic)
 * @discard: the device discards freed blocks (discard)
 * @norecovery: read-only, and without a replay of the log (norecovery)
 */
struct msyncfs_options {
	enum msyncfs_errors	errors;
	enum msyncfs_semantics	semantics;
	bool			atomic;
	bool			discard;
	bool			norecovery;
};

/* Bits of sbi->state. */
enum {
	MSYNCFS_SB_ABORTED,	/* no record may be written any more */
	MSYNCFS_SB_SHUTDOWN,	/* nothing may touch the device any more */
	MSYNCFS_SB_RDONLY,	/* mounted read-only */
	MSYNCFS_SB_FROZEN,	/* between freeze_fs and unfreeze_fs */
	MSYNCFS_SB_FLUSH_FAILED, /* a flush failed; blocks may be lost */
	MSYNCFS_SB_CKPT_PAUSED,	/* sysfs has paused the background checkpoint */
	MSYNCFS_SB_ORPHANS_TODO, /* orphans are not reclaimed yet */
	MSYNCFS_SB_RECLAIMING,	/* inodes without links may be read */
};

/* If one of these bits is set, the gate is closed: see msyncfs_gate_enter(). */
#define MSYNCFS_SB_CLOSED	(BIT(MSYNCFS_SB_ABORTED) | \
				 BIT(MSYNCFS_SB_SHUTDOWN) | \
				 BIT(MSYNCFS_SB_RDONLY) | \
				 BIT(MSYNCFS_SB_FROZEN))

struct msyncfs_dio_count;
struct msyncfs_log;
struct msyncfs_mmp;
struct msyncfs_orphans;
struct msyncfs_space;
struct msyncfs_sysfs;

/**
 * struct msyncfs_sb_info - a mounted filesystem
 * @sb: the VFS superblock
 * @ds: copy of the superblock on disk, verified
 * @geo: where the parts of the filesystem lie
 * @options: mount options
 * @state: MSYNCFS_SB_* bits
 * @gate: held shared by a task that changes the device (R7)
 * @messages: limits the rate of messages
 * @wait: tasks that wait for a change of the running transaction, of the commit
 *	under way or of @state
 * @wq: runs commits, checkpoints and MS_ASYNC in the background
 * @set_mutex: held by a task that locks or freezes several files (P6)
 * @mmp: state of fs/disk/mmp.c, NULL without multi-mount protection
 * @log: state of fs/log
 * @space: state of fs/space
 * @dio_count: state of fs/map/home.c
 * @orphans: state of fs/vfs/orphan.c
 * @sysfs: state of fs/vfs/sysfs.c
 */
struct msyncfs_sb_info {
	struct super_block		*sb;
	struct msyncfs_disk_super	*ds;
	struct msyncfs_geo		geo;
	struct msyncfs_options		options;
	unsigned long			state;
	struct rw_semaphore		gate;	/* changes of the device */
	struct ratelimit_state		messages;
	wait_queue_head_t		wait;
	struct workqueue_struct		*wq;
	struct mutex			set_mutex; /* locks of several files */
	struct msyncfs_mmp		*mmp;
	struct msyncfs_log		*log;
	struct msyncfs_space		*space;
	struct msyncfs_dio_count	*dio_count;
	struct msyncfs_orphans		*orphans;
	struct msyncfs_sysfs		*sysfs;
};

/**
 * MSYNCFS_SB() - get the mount of a superblock
 * @sb: VFS superblock of this filesystem
 *
 * Context: any.
 * Return: the mount.
 */
static inline struct msyncfs_sb_info *MSYNCFS_SB(struct super_block *sb)
{
	return sb->s_fs_info;
}

/**
 * msyncfs_is_dead() - tell whether the filesystem has been shut down
 * @sbi: filesystem
 *
 * Context: any.
 * Return: true if nothing may touch the device any more.
 */
static inline bool msyncfs_is_dead(struct msyncfs_sb_info *sbi)
{
	return test_bit(MSYNCFS_SB_SHUTDOWN, &sbi->state);
}

/**
 * msyncfs_log_dead() - tell whether the filesystem has been aborted or shut
 * down
 * @sbi: filesystem
 *
 * Context: any.
 * Return: true if nothing can become durable any more.
 */
static inline bool msyncfs_log_dead(struct msyncfs_sb_info *sbi)
{
	return msyncfs_is_dead(sbi) ||
	       test_bit(MSYNCFS_SB_ABORTED, &sbi->state);
}

int msyncfs_closed_error(const struct msyncfs_sb_info *sbi);

/**
 * msyncfs_gate_error() - tell why the device must not be changed
 * @sbi: filesystem
 *
 * Context: any. The result is only a hint unless the caller has passed the gate.
 * Return: 0 if the gate is open; else as msyncfs_gate_enter().
 */
static inline int msyncfs_gate_error(const struct msyncfs_sb_info *sbi)
{
	return likely(!(READ_ONCE(sbi->state) & MSYNCFS_SB_CLOSED)) ? 0 :
		msyncfs_closed_error(sbi);
}

/**
 * msyncfs_gate_enter() - pass the gate, to change the device
 * @sbi: filesystem
 *
 * Every write to the device passes this gate (R7): records, home blocks, slots,
 * fresh blocks, O_DIRECT and a new label. The only other writes are those of the mount,
 * before any task uses the filesystem, the feature bits that a remount sets
 * before it opens the gate, and the heartbeats of the multi-mount protection.
 * Heartbeats hold the gate shared, too, but they also run if the filesystem is
 * read-only. A task that closes the gate waits for the tasks that
 * have passed it. After success the caller calls
 * msyncfs_gate_leave() when its writes are complete.
 *
 * The function never waits for a thaw. A caller that wants to wait must first
 * release all its locks.
 *
 * Context: may sleep; outside checkpoint_mutex. The caller has not passed the
 * gate already, and waits for no commit before it leaves the gate.
 * Return: 0; -EIO after an abort or a shutdown; -EROFS if the filesystem is
 * read-only; -EFSFROZEN if it is frozen.
 */
static inline int msyncfs_gate_enter(struct msyncfs_sb_info *sbi)
{
	int err;

	down_read(&sbi->gate);
	err = msyncfs_gate_error(sbi);
	if (unlikely(err))
		up_read(&sbi->gate);
	return err;
}

/**
 * msyncfs_gate_leave() - end what msyncfs_gate_enter() has begun
 * @sbi: filesystem
 *
 * Context: any that may take a spinlock.
 */
static inline void msyncfs_gate_leave(struct msyncfs_sb_info *sbi)
{
	up_read(&sbi->gate);
}

/**
 * msyncfs_gate_enter_bio() - pass the gate for a bio
 * @sbi: filesystem
 *
 * As msyncfs_gate_enter(), but the end of the bio leaves the gate, not this task.
 * So the task may pass the gate again before.
 *
 * Context: as msyncfs_gate_enter().
 * Return: as msyncfs_gate_enter().
 */
static inline int msyncfs_gate_enter_bio(struct msyncfs_sb_info *sbi)
{
	int err;

	down_read_non_owner(&sbi->gate);
	err = msyncfs_gate_error(sbi);
	if (unlikely(err))
		up_read_non_owner(&sbi->gate);
	return err;
}

/**
 * msyncfs_gate_leave_bio() - end what msyncfs_gate_enter_bio() has begun
 * @sbi: filesystem
 *
 * Context: any, also an interrupt.
 */
static inline void msyncfs_gate_leave_bio(struct msyncfs_sb_info *sbi)
{
	up_read_non_owner(&sbi->gate);
}

/**
 * msyncfs_wait_thaw() - wait until the filesystem is not frozen
 * @sb: filesystem
 *
 * For a task that got -EFSFROZEN and tries again.
 *
 * Context: sleeps; the caller holds no lock that the task needs which thaws the
 * filesystem.
 */
static inline void msyncfs_wait_thaw(struct super_block *sb)
{
	sb_start_intwrite(sb);
	sb_end_intwrite(sb);
}

/**
 * msyncfs_gate_assert() - check that the caller has passed the gate
 * @sbi: filesystem
 *
 * While nothing runs in the background, at mount and unmount, there is nothing
 * to check.
 *
 * Context: any.
 */
static inline void msyncfs_gate_assert(const struct msyncfs_sb_info *sbi)
{
	lockdep_assert(!sbi->wq || lockdep_is_held(&sbi->gate));
}

/**
 * msyncfs_refused() - tell whether an error only means that the gate is closed
 * @err: 0 or a negative errno
 *
 * No data is lost, so mappings do not remember such an error.
 *
 * Context: any.
 * Return: true if @err is an error of a closed gate, but not of a dead log.
 */
static inline bool msyncfs_refused(int err)
{
	return err == -EFSFROZEN || err == -EROFS;
}

/**
 * struct msyncfs_io - a batch of block I/O under way
 * @sb: filesystem
 * @opf: operation and flags of the bios; msyncfs_io_init() sets it to a write
 * @vecs: number of pages for which the next bio has room; msyncfs_io_init()
 *	sets it to the largest number
 * @bio: bio that is being filled, or NULL
 * @next: number of the block that would extend @bio
 * @writeback: true to end the writeback of each folio when its write completes
 * @in_flight: number of bios under way, plus one until msyncfs_io_wait() is
 *	called
 * @error: first error, or 0
 * @bad: first block of the bio that had the error
 * @bad_nr: number of blocks of the bio that had the error; 0 for a flush
 * @done: completed when no bio is under way any more
 */
struct msyncfs_io {
	struct super_block	*sb;
	blk_opf_t		opf;
	unsigned short		vecs;
	struct bio		*bio;
	u64			next;
	bool			writeback;
	atomic_t		in_flight;
	int			error;
	u64			bad;
	unsigned int		bad_nr;
	struct completion	done;
};

/**
 * msyncfs_io_busy() - tell whether the device still works on a batch
 * @io: batch that has been sent, before msyncfs_io_wait()
 *
 * Context: any.
 * Return: true if a bio of the batch is under way.
 */
static inline bool msyncfs_io_busy(const struct msyncfs_io *io)
{
	return atomic_read(&io->in_flight) > 1;
}

/* In state.c */
__printf(2, 3) void msyncfs_err(struct super_block *sb, const char *fmt, ...);
__printf(2, 3) void msyncfs_warn(struct super_block *sb, const char *fmt, ...);
__printf(2, 3) void msyncfs_info(struct super_block *sb, const char *fmt, ...);
void msyncfs_abort(struct super_block *sb, const char *why, int err);
void msyncfs_shutdown(struct super_block *sb);

/* In super.c */
int msyncfs_write_supers(struct super_block *sb);
int msyncfs_set_label(struct super_block *sb, const char *label);

/* In mmp.c */
int msyncfs_mmp_start(struct super_block *sb);
int msyncfs_mmp_check(struct super_block *sb);
void msyncfs_mmp_stop(struct super_block *sb);

/* In io.c */
void msyncfs_io_init(struct msyncfs_io *io, struct super_block *sb,
		     bool writeback);
void msyncfs_io_add_run(struct msyncfs_io *io, u64 blkno, struct page *page,
			unsigned int nr);

/**
 * msyncfs_io_add - add one block to a batch
 * @io: batch
 * @blkno: block to write or read
 * @page: as for msyncfs_io_add_run()
 *
 * Context: as msyncfs_io_add_run().
 */
static inline void msyncfs_io_add(struct msyncfs_io *io, u64 blkno,
				  struct page *page)
{
	msyncfs_io_add_run(io, blkno, page, 1);
}

void msyncfs_io_submit(struct msyncfs_io *io, blk_opf_t flags);
int msyncfs_io_wait(struct msyncfs_io *io, blk_opf_t flags);
int msyncfs_sector_io(struct super_block *sb, u64 blkno, struct page *page,
		      blk_opf_t opf);
int msyncfs_flush(struct super_block *sb);
int msyncfs_flush_failed(struct super_block *sb, int err);
int msyncfs_drop_cache(struct super_block *sb);
int msyncfs_bios_init(void);
void msyncfs_bios_exit(void);

/**
 * msyncfs_counted_alike - count folios that the same counters count
 * @folios: folios
 * @nr: number of @folios, at least 1
 *
 * The kernel counts dirty and written folios for each zone and each cgroup.
 *
 * Context: the cgroups of the folios do not change; they are locked or under
 * writeback.
 * Return: number of folios at the start of @folios that have the same counters
 * as the first folio.
 */
static inline unsigned int msyncfs_counted_alike(struct folio **folios,
						 unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++)
		if (folio_zone(folios[i]) != folio_zone(folios[0]) ||
		    msyncfs_counted_by(folios[i]) != msyncfs_counted_by(folios[0]))
			break;
	return i;
}

/**
 * msyncfs_wb - get the structure with which the kernel counts the writes
 * @mapping: mapping of a regular file
 *
 * Context: any.
 * Return: the only structure of the device, because the superblock has no cgroup
 * writeback.
 */
static inline struct bdi_writeback *
msyncfs_wb(const struct address_space *mapping)
{
	return &mapping->host->i_sb->s_bdi->wb;
}

/* In writeback.c */
void msyncfs_start_writeback(struct folio **folios, unsigned int nr);
void msyncfs_end_writeback(struct bio *bio);

#endif /* MSYNCFS_DISK_H */
