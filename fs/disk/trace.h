/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header defines the trace events: msync, fsync, invalidate, capture,
 * freeze wait, attach, commit and checkpoint. trace.c generates the code of
 * these events. Documentation/observability.rst shows how to use them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM msyncfs

#if !defined(MSYNCFS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MSYNCFS_TRACE_H

#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/mman.h>
#include <linux/tracepoint.h>

#define msyncfs_show_flags(flags)		\
	__print_flags(flags, "|",		\
		      { MS_ASYNC, "ASYNC" },	\
		      { MS_INVALIDATE, "INVALIDATE" }, \
		      { MS_SYNC, "SYNC" })

/*
 * Each msync(2) through msyncfs_hook and each MSYNCFS_IOC_MSYNC emits these two
 * events.
 */
TRACE_EVENT(msyncfs_msync_enter,
	TP_PROTO(unsigned long start, size_t len, int flags),
	TP_ARGS(start, len, flags),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(size_t, len)
		__field(int, flags)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->len = len;
		__entry->flags = flags;
	),
	TP_printk("addr 0x%lx len %zu flags %s", __entry->start, __entry->len,
		  msyncfs_show_flags(__entry->flags))
);

TRACE_EVENT(msyncfs_msync_exit,
	TP_PROTO(unsigned long start, size_t len, int flags, int err),
	TP_ARGS(start, len, flags, err),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(size_t, len)
		__field(int, flags)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->len = len;
		__entry->flags = flags;
		__entry->err = err;
	),
	TP_printk("addr 0x%lx len %zu flags %s ret %d", __entry->start,
		  __entry->len, msyncfs_show_flags(__entry->flags),
		  __entry->err)
);

/*
 * Each call of ->fsync emits these two events. fsync(2) calls ->fsync. Without
 * msyncfs_hook, msync(2) also calls ->fsync.
 */
DECLARE_EVENT_CLASS(msyncfs_fsync,
	TP_PROTO(struct inode *inode, loff_t start, loff_t end, int what),
	TP_ARGS(inode, start, end, what),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(loff_t, start)
		__field(loff_t, end)
		__field(int, what)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->start = start;
		__entry->end = end;
		__entry->what = what;
	),
	TP_printk("dev %d,%d ino %llu bytes %lld-%lld datasync %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->start, __entry->end, __entry->what)
);

DEFINE_EVENT(msyncfs_fsync, msyncfs_fsync_enter,
	TP_PROTO(struct inode *inode, loff_t start, loff_t end, int datasync),
	TP_ARGS(inode, start, end, datasync)
);

DEFINE_EVENT_PRINT(msyncfs_fsync, msyncfs_fsync_exit,
	TP_PROTO(struct inode *inode, loff_t start, loff_t end, int err),
	TP_ARGS(inode, start, end, err),
	TP_printk("dev %d,%d ino %llu bytes %lld-%lld ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->start, __entry->end, __entry->what)
);

TRACE_EVENT(msyncfs_invalidate,
	TP_PROTO(struct inode *inode, pgoff_t first, pgoff_t last, int err),
	TP_ARGS(inode, first, last, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, first)
		__field(u64, last)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->first = first;
		__entry->last = last;
		__entry->err = err;
	),
	TP_printk("dev %d,%d ino %llu pages %llu-%llu ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->first, __entry->last, __entry->err)
);

TRACE_EVENT(msyncfs_capture,
	TP_PROTO(struct inode *inode, pgoff_t first, pgoff_t last,
		 unsigned int nr, bool copied, u64 frozen_ns),
	TP_ARGS(inode, first, last, nr, copied, frozen_ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, first)
		__field(u64, last)
		__field(unsigned int, nr)
		__field(bool, copied)
		__field(u64, frozen_ns)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->first = first;
		__entry->last = last;
		__entry->nr = nr;
		__entry->copied = copied;
		__entry->frozen_ns = frozen_ns;
	),
	TP_printk("dev %d,%d ino %llu pages %llu-%llu captured %u %s frozen %llu ns",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->first, __entry->last, __entry->nr,
		  __entry->copied ? "copied" : "fresh", __entry->frozen_ns)
);

TRACE_EVENT(msyncfs_freeze_wait,
	TP_PROTO(struct inode *inode, u64 ns),
	TP_ARGS(inode, ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->ns = ns;
	),
	TP_printk("dev %d,%d ino %llu store waited %llu ns",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->ns)
);

/* The pages of a file are part of the transaction @tid, or @err says why not. */
TRACE_EVENT(msyncfs_attach,
	TP_PROTO(struct inode *inode, u64 tid, int err),
	TP_ARGS(inode, tid, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ino)
		__field(u64, tid)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = inode->i_sb->s_dev;
		__entry->ino = inode->i_ino;
		__entry->tid = tid;
		__entry->err = err;
	),
	TP_printk("dev %d,%d ino %llu tid %llu ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ino,
		  __entry->tid, __entry->err)
);

/* A record goes to the device; msyncfs_commit tells how its write has ended. */
TRACE_EVENT(msyncfs_commit_send,
	TP_PROTO(struct super_block *sb, u64 tid, unsigned int blocks),
	TP_ARGS(sb, tid, blocks),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, tid)
		__field(unsigned int, blocks)
	),
	TP_fast_assign(
		__entry->dev = sb->s_dev;
		__entry->tid = tid;
		__entry->blocks = blocks;
	),
	TP_printk("dev %d,%d tid %llu blocks %u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->tid,
		  __entry->blocks)
);

TRACE_EVENT(msyncfs_commit,
	TP_PROTO(struct super_block *sb, u64 tid, u64 seq, u64 pos,
		 unsigned int blocks, bool preflush, bool fua, int err),
	TP_ARGS(sb, tid, seq, pos, blocks, preflush, fua, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, tid)
		__field(u64, seq)
		__field(u64, pos)
		__field(unsigned int, blocks)
		__field(bool, preflush)
		__field(bool, fua)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = sb->s_dev;
		__entry->tid = tid;
		__entry->seq = seq;
		__entry->pos = pos;
		__entry->blocks = blocks;
		__entry->preflush = preflush;
		__entry->fua = fua;
		__entry->err = err;
	),
	TP_printk("dev %d,%d tid %llu seq %llu pos %llu blocks %u%s%s ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->tid,
		  __entry->seq, __entry->pos, __entry->blocks,
		  __entry->preflush ? " preflush" : "",
		  __entry->fua ? " fua" : "", __entry->err)
);

TRACE_EVENT(msyncfs_checkpoint,
	TP_PROTO(struct super_block *sb, u64 tid, u64 tail, int err),
	TP_ARGS(sb, tid, tail, err),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, tid)
		__field(u64, tail)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->dev = sb->s_dev;
		__entry->tid = tid;
		__entry->tail = tail;
		__entry->err = err;
	),
	TP_printk("dev %d,%d home up to tid %llu tail %llu ret %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->tid,
		  __entry->tail, __entry->err)
);

#endif /* MSYNCFS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
