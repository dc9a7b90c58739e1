/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fixture of the suites that call msync: two files on the fake device. Both
 * files are mapped into an address space of the test.
 */
#ifndef MSYNCFS_KUNIT_CALLS_H
#define MSYNCFS_KUNIT_CALLS_H

#include "files.h"
#include "iolog.h"

#define CALL_PAGES	256	/* size of each file */
#define CALL_OUT	(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/*
 * Offsets of the mappings from fx->base, in pages. Nothing is mapped at the
 * offsets 8 and 9.
 */
#define F_AT		0
#define G_AT		4
#define HOLE_AT		8
#define F2_AT		10	/* maps f from page 100 on */
#define PRIVATE_AT	14	/* maps f from page 20 on, MAP_PRIVATE */
#define ANON_AT		18
#define MAP_PAGES	20

/**
 * struct call_fixture - two files with clean pages, and their mappings
 * @fake: device
 * @log: trace of the I/O of @fake
 * @f: file with CALL_PAGES pages full of 1
 * @g: another file with CALL_PAGES pages full of 1
 * @base: address of the first mapping
 */
struct call_fixture {
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct file		*f;
	struct file		*g;
	unsigned long		base;
};

struct call_fixture *call_setup(struct kunit *test, const char *options);
int call_init(struct kunit *test);
unsigned long call_at(struct call_fixture *fx, unsigned int page);
void call_map(struct kunit *test, struct file *file, pgoff_t index,
	      unsigned int page, unsigned int nr, int flags);
void call_unmap(struct call_fixture *fx);
void call_store(struct kunit *test, unsigned int page, u8 value);
int call_load(struct call_fixture *fx, unsigned int page);
int call_msync(struct kunit *test, unsigned int page, unsigned int nr,
	       int flags);
bool call_cached(struct file *file, pgoff_t index);
void call_crash(struct kunit *test);
int call_first_byte(struct file *file, pgoff_t index);

#endif /* MSYNCFS_KUNIT_CALLS_H */
