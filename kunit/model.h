/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An atomic file on the fake device, and a model of its content. Each change is
 * made to both the file and the model. The suites for atomic files compare the
 * file with the model after a crash.
 */
#ifndef MSYNCFS_KUNIT_MODEL_H
#define MSYNCFS_KUNIT_MODEL_H

#include "files.h"
#include "iolog.h"

#define MODEL_PAGES	64	/* initial size of the file, in pages */
#define MODEL_MAX	544	/* maximum size, in pages */

/**
 * struct model - the content that the file should have
 * @pages: size of the file
 * @fill: byte that fills each page
 */
struct model {
	unsigned int	pages;
	u8		fill[MODEL_MAX];
};

/**
 * struct atomic_fixture - a mounted device with an atomic file
 * @fake: device
 * @log: trace of the I/O of @fake
 * @sbi: the mount
 * @file: the file
 * @old: committed content
 * @now: present content
 * @space: number of available blocks at the end of model_prepare()
 */
struct atomic_fixture {
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct msyncfs_sb_info	*sbi;
	struct file		*file;
	struct model		old;
	struct model		now;
	u64			space;
};

/**
 * struct change_row - a way to change the file
 * @name: description
 * @make: changes the file and the model
 */
struct change_row {
	const char	*name;
	void		(*make)(struct kunit *test, struct atomic_fixture *fx,
				u8 fill);
};

/* The modes of model_change(): how often it spills pages during the change. */
enum { SPILL_NEVER, SPILL_ONCE, SPILL_TWICE, SPILL_MODES };

extern const struct change_row model_changes[10];

struct atomic_fixture *model_setup(struct kunit *test, unsigned int features,
				   const char *options);
void model_open(struct atomic_fixture *fx);
void model_prepare(struct kunit *test, struct atomic_fixture *fx);
void model_crash(struct kunit *test, struct atomic_fixture *fx,
		 unsigned int keep);
void model_write(struct kunit *test, struct atomic_fixture *fx,
		 unsigned int first, unsigned int nr, u8 fill);
int model_spill(struct atomic_fixture *fx);
void model_overwrite(struct kunit *test, struct atomic_fixture *fx, u8 fill);
void model_large(struct kunit *test, struct atomic_fixture *fx, u8 fill);
void model_regrow(struct kunit *test, struct atomic_fixture *fx, u8 fill);
void model_punch(struct kunit *test, struct atomic_fixture *fx, u8 fill);
void model_change(struct kunit *test, struct atomic_fixture *fx,
		  const struct change_row *row, unsigned int mode);
/**
 * struct other - an operation that another thread executes
 * @fx: fixture
 * @what: the operation
 * @ret: its return value
 * @done: the operation has returned
 * @task: the thread
 */
struct other {
	struct atomic_fixture	*fx;
	loff_t			(*what)(struct atomic_fixture *fx);
	loff_t			ret;
	bool			done;
	struct task_struct	*task;
};

void other_start(struct kunit *test, struct other *o);
void other_end(struct kunit *test, struct other *o, loff_t want);

int model_differs(struct atomic_fixture *fx, const struct model *m);
void model_settled(struct kunit *test, struct atomic_fixture *fx, bool space);

#endif /* MSYNCFS_KUNIT_MODEL_H */
