// SPDX-License-Identifier: GPL-2.0
/*
 * The checks of fsck use these basic functions. Some functions report problems
 * and decide on repairs. Some read and write blocks. If a block was changed in
 * memory, blk_read() reads the block from memory. Other functions provide small
 * containers.
 */
#include "fsck.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fsck_die(struct fsck *fs, const char *fmt, ...)
{
	va_list ap;

	progress_hide(fs);
	fflush(stdout);
	fprintf(stderr, "fsck.msyncfs: %s: ", fs->dev.path);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	fsck_mmp_end(fs);
	exit(EXIT_FSCK_ERROR);
}

/* Print a message. */
void say(struct fsck *fs, const char *fmt, ...)
{
	va_list ap;

	progress_hide(fs);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

/* Count a repair for the summary. The kind is the first word of the message @fmt. */
static void count_repair(struct fsck *fs, const char *fmt)
{
	int len = strcspn(fmt, " :"), i;

	for (i = 0; i < KINDS - 1 && fs->repaired[i].kind; i++)
		if (fs->repaired[i].len == len &&
		    !memcmp(fs->repaired[i].kind, fmt, len))
			break;
	fs->repaired[i].kind = fmt;
	fs->repaired[i].len = len;
	fs->repaired[i].nr++;
}

static bool ask(void)
{
	char line[64];

	for (;;) {
		printf("? [y/n] ");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return false;
		if (*line == 'y' || *line == 'Y')
			return true;
		if (*line == 'n' || *line == 'N')
			return false;
	}
}

/*
 * Report the problem that @fmt describes. @fix names the repair in the
 * imperative. @safe means that the repair cannot lose data. Returns true if the
 * caller must make the repair.
 */
bool problem(struct fsck *fs, bool safe, const char *fix, const char *fmt, ...)
{
	bool yes = true;
	va_list ap;

	progress_hide(fs);
	if (fs->mode == FSCK_PREEN)	/* at boot, together with other filesystems */
		printf("%s: ", fs->dev.path);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);

	if (fs->mode == FSCK_PREEN && !safe) {
		printf(". Run fsck.msyncfs by hand.\n");
		fsck_mmp_end(fs);
		exit(EXIT_FSCK_LEFT);
	}
	printf(". %c%s", *fix - 'a' + 'A', fix + 1);
	if (fs->mode == FSCK_ASK)
		yes = ask();
	else
		printf("? %s\n", fs->mode == FSCK_NO ? "no" : "yes");

	if (!yes || fs->mode == FSCK_NO) {
		fs->left++;
		return yes;
	}
	fs->fixed++;
	count_repair(fs, fmt);
	return yes;
}

void *fsck_alloc(size_t len)
{
	void *p = calloc(1, len ? len : 1);

	if (!p) {
		fputs("fsck.msyncfs: out of memory\n", stderr);
		exit(EXIT_FSCK_ERROR);
	}
	return p;
}

/* Make the array @p large enough for more than @nr entries of @size bytes. */
void *fsck_grow(void *p, size_t *cap, size_t nr, size_t size)
{
	if (nr < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 16;
	while (*cap <= nr)
		*cap *= 2;
	p = realloc(p, *cap * size);
	if (!p) {
		fputs("fsck.msyncfs: out of memory\n", stderr);
		exit(EXIT_FSCK_ERROR);
	}
	return p;
}

void blocks_add(struct blocks *b, u64 blkno)
{
	b->b = fsck_grow(b->b, &b->cap, b->nr, sizeof(*b->b));
	b->b[b->nr++] = blkno;
}

void blocks_clear(struct blocks *b)
{
	free(b->b);
	*b = (struct blocks){};
}

static size_t umap_slot(const struct umap *m, u64 key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ULL) >> 20;

	for (i &= m->cap - 1; m->key[i] && m->key[i] != key;)
		i = (i + 1) & (m->cap - 1);
	return i;
}

bool umap_get(const struct umap *m, u64 key, u64 *val)
{
	size_t i;

	if (!m->cap)
		return false;
	i = umap_slot(m, key);
	if (m->key[i] && val)
		*val = m->val[i];
	return m->key[i];
}

static void umap_enlarge(struct umap *m)
{
	struct umap old = *m;
	size_t i;

	m->cap = old.cap ? old.cap * 2 : 64;
	m->key = fsck_alloc(m->cap * sizeof(u64));
	m->val = fsck_alloc(m->cap * sizeof(u64));
	for (i = 0; i < old.cap; i++) {
		size_t to;

		if (!old.key[i])
			continue;
		to = umap_slot(m, old.key[i]);
		m->key[to] = old.key[i];
		m->val[to] = old.val[i];
	}
	free(old.key);
	free(old.val);
}

void umap_set(struct umap *m, u64 key, u64 val)
{
	size_t i;

	if (m->nr * 2 >= m->cap)
		umap_enlarge(m);
	i = umap_slot(m, key);
	m->nr += !m->key[i];
	m->key[i] = key;
	m->val[i] = val;
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Returns all keys in ascending order. The caller frees the array. */
u64 *umap_keys(const struct umap *m)
{
	u64 *keys = fsck_alloc(m->nr * sizeof(u64));
	size_t i, n = 0;

	for (i = 0; i < m->cap; i++)
		if (m->key[i])
			keys[n++] = m->key[i];
	qsort(keys, n, sizeof(u64), cmp_u64);
	return keys;
}

void umap_clear(struct umap *m)
{
	free(m->key);
	free(m->val);
	*m = (struct umap){};
}

/* Read the newest content of a block. Returns 0 or a negative errno. */
int blk_read(struct fsck *fs, u64 blkno, void *buf)
{
	u64 val;

	if (fs->seen && blkno < fs->geo.blocks)
		bit_set(fs->seen, blkno);
	if (umap_get(&fs->dirty, blkno, &val)) {
		memcpy(buf, (void *)(uintptr_t)val, BLK);
		return 0;
	}
	if (umap_get(&fs->replay, blkno, &val))
		blkno = val;
	return device_read(&fs->dev, buf, BLK, blkno << MSYNCFS_BLOCK_SHIFT);
}

/* Seal @buf. Store it in memory as the new content of block @blkno. */
void blk_write(struct fsck *fs, u64 blkno, void *buf)
{
	struct msyncfs_disk_header *h = buf;
	void *copy;
	u64 val;

	msyncfs_seal_block(&fs->geo, buf, le64_to_cpu(h->seq));
	if (umap_get(&fs->dirty, blkno, &val)) {
		copy = (void *)(uintptr_t)val;
	} else {
		copy = fsck_alloc(BLK);
		umap_set(&fs->dirty, blkno, (uintptr_t)copy);
	}
	memcpy(copy, buf, BLK);
}

/*
 * Write all changed blocks to the device, except with -n. Then free the memory
 * of the changed blocks.
 */
void blk_flush(struct fsck *fs)
{
	u64 *keys = umap_keys(&fs->dirty);
	size_t i;

	for (i = 0; i < fs->dirty.nr; i++) {
		u64 val = 0;

		umap_get(&fs->dirty, keys[i], &val);
		if (fs->mode != FSCK_NO &&
		    device_write(&fs->dev, (void *)(uintptr_t)val, BLK,
				 keys[i] << MSYNCFS_BLOCK_SHIFT))
			fsck_die(fs, "cannot write block %llu", keys[i]);
		free((void *)(uintptr_t)val);
	}
	if (fs->dirty.nr && fs->mode != FSCK_NO && device_sync(&fs->dev))
		fsck_die(fs, "cannot write: %s", strerror(errno));
	free(keys);
	umap_clear(&fs->dirty);
}

/* Read and verify a metadata block. Returns NULL or the problem. */
const char *blk_load(struct fsck *fs, u64 blkno, u32 magic, u64 owner,
		     void *buf)
{
	if (blk_read(fs, blkno, buf))
		return "cannot be read";
	return msyncfs_verify_block(&fs->geo, buf, blkno, magic, owner);
}
