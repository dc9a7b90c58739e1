// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.msyncfs checks and repairs an unmounted msyncfs. This file handles the options and
 * exit codes of fsck(8). The checks are in tools/lib/fsck_*.c.
 */
#include "fsck.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PASSES	3	/* maximum; each repair can reveal further damage */

__noreturn
static void usage(FILE *to, int status)
{
	fputs("Usage: fsck.msyncfs [-n | -y | -p] [-fv] DEVICE\n"
	      "\n"
	      "Checks an msyncfs that is not mounted, and repairs it.\n"
	      "\n"
	      "  -n       change nothing, answer no to every question\n"
	      "  -y       repair everything, answer yes to every question\n"
	      "  -p, -a   make safe repairs without asking; give up on other problems\n"
	      "  -f       check even if nothing suggests damage (always done)\n"
	      "  -v       print each step\n"
	      "  -V       print the version\n"
	      "  -h       print this\n"
	      "  -C FD    write the progress as numbers to this file descriptor; with 0,\n"
	      "           show it on the terminal at once, not only after two seconds\n"
	      "  -T, -M, -R   accepted for fsck(8)\n"
	      "\n"
	      "Exit status: 0 no damage, 1 all damage repaired, 4 damage left,\n"
	      "8 device could not be checked, 16 wrong options\n", to);
	exit(status);
}

struct options {
	const char	*path;
	bool		no, yes, preen, verbose, skip_mounted;
	int		progress;	/* file descriptor of -C, or -1 */
};

static int parse_fd(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (end == text || *end || fd > INT_MAX || fcntl(fd, F_GETFD) < 0) {
		fprintf(stderr, "fsck.msyncfs: not an open file descriptor: %s\n", text);
		exit(EXIT_FSCK_USAGE);
	}
	return fd;
}

static void parse_options(int argc, char **argv, struct options *opt)
{
	bool version = false;
	int c;

	while ((c = getopt(argc, argv, "nypafvVhC:TMR")) != -1) {
		switch (c) {
		case 'n':
			opt->no = true;
			break;
		case 'y':
			opt->yes = true;
			break;
		case 'p':
		case 'a':
			opt->preen = true;
			break;
		case 'v':
			opt->verbose = true;
			break;
		case 'M':
			opt->skip_mounted = true;
			break;
		case 'V':
			version = true;
			break;
		case 'C':
			opt->progress = parse_fd(optarg);
			break;
		case 'f':
		case 'T':
		case 'R':
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, EXIT_FSCK_USAGE);
		}
	}
	if (version) {
		puts("fsck.msyncfs " MSYNCFS_VERSION);
		if (optind == argc)
			exit(0);
	}
	if (optind + 1 != argc)
		usage(stderr, EXIT_FSCK_USAGE);
	if (opt->no + opt->yes + opt->preen > 1) {
		fputs("fsck.msyncfs: only one of -n, -y and -p\n", stderr);
		exit(EXIT_FSCK_USAGE);
	}
	opt->path = argv[optind];
}

static enum fsck_mode choose_mode(const struct options *opt)
{
	if (opt->yes)
		return FSCK_YES;
	if (opt->preen)
		return FSCK_PREEN;
	if (opt->no || !isatty(0))
		return FSCK_NO;
	return FSCK_ASK;
}

static void open_device(struct fsck *fs, const struct options *opt)
{
	int err;

	fs->mode = choose_mode(opt);
	fs->verbose = opt->verbose;
	fs->protect = true;
	err = device_open(&fs->dev, opt->path,
			  fs->mode == FSCK_NO ? O_RDONLY : O_RDWR);
	if (err == -EBUSY && opt->skip_mounted)
		exit(EXIT_FSCK_OK);
	if (err == -EBUSY)
		fsck_die(fs, "is mounted or in use");
	if (err)
		fsck_die(fs, "cannot be opened: %s", err == -ENOTBLK ?
			 "neither a block device nor a regular file" :
			 strerror(-err));
	if (fs->dev.sector > BLK)
		fsck_die(fs, "has sectors of %u bytes, more than a block",
			 fs->dev.sector);
	if (fs->mode == FSCK_NO && !opt->no)
		puts("No terminal to ask questions: looking only");
}

/* Clear the results of the last pass. */
static void reset(struct fsck *fs)
{
	size_t i;

	for (i = 0; i < fs->inodes.cap; i++)
		if (fs->inodes.key[i])
			free((void *)(uintptr_t)fs->inodes.val[i]);
	umap_clear(&fs->inodes);
	umap_clear(&fs->on_list);
	blocks_clear(&fs->queue);
	blocks_clear(&fs->orphans);
	fs->queue_at = 0;
	fs->progress.pass = 0;
	fs->claimed = 0;
	fs->marked = 0;
	fs->lost_found = 0;
	fs->next_free = 0;
	fs->names_lost = false;
	fs->complete = false;
	fs->files = 0;
	fs->dirs = 0;
	fs->fixed = 0;
	fs->left = 0;
	fsck_bitmaps_new(fs);
}

static void summary(struct fsck *fs, u64 fixed)
{
	u64 used = bits_count(fs->used), all = fs->geo.blocks;
	unsigned int i;

	if (fs->mode == FSCK_NO)
		used += bits_count(fs->gone);
	printf("%s: %llu files, %llu directories, %llu/%llu blocks used, %llu free: ",
	       fs->dev.path, fs->files, fs->dirs, used, all, all - used);
	if (fixed)
		printf("%llu problems repaired (", fixed);
	for (i = 0; i < KINDS && fs->repaired[i].nr; i++)
		printf("%s%.*s %llu", i ? ", " : "", fs->repaired[i].len,
		       fs->repaired[i].kind, fs->repaired[i].nr);
	if (fixed)
		printf(")%s", fs->left ? ", " : "\n");
	if (fs->left)
		printf("%llu problems NOT repaired\n", fs->left);
	else if (!fixed)
		puts("clean");
}

int main(int argc, char **argv)
{
	struct fsck *fs = fsck_alloc(sizeof(*fs));
	struct options opt = { .progress = -1 };
	u64 fixed, left;
	int pass;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc, argv, &opt);
	fs->dev.path = opt.path;
	open_device(fs, &opt);
	progress_start(fs, opt.progress);

	fsck_super(fs);
	if (fs->verbose)
		printf("Log of %llu blocks\n", fs->geo.log_blocks);
	fsck_log(fs);
	fixed = fs->fixed;
	left = fs->left;

	for (pass = 1; ; pass++) {
		if (fs->verbose)
			printf("Check %d: %llu blocks\n", pass, fs->geo.blocks);
		reset(fs);
		fsck_tree(fs);
		blk_flush(fs);
		fixed += fs->fixed;
		if (!fs->fixed || fs->mode != FSCK_YES || pass == PASSES)
			break;
	}
	if (pass == PASSES && fs->fixed)
		fs->left += fs->fixed;
	fs->left += left;
	fsck_mmp_end(fs);
	summary(fs, fixed);
	if (fs->left)
		return EXIT_FSCK_LEFT;
	return fixed ? EXIT_FSCK_FIXED : EXIT_FSCK_OK;
}
