// SPDX-License-Identifier: GPL-2.0
/*
 * Read the kernel log: see kmsg.h.
 */
#include <linux/ctype.h>
#include <linux/string.h>

#include "kmsg.h"

/**
 * kmsg_start - set up a reader
 * @kmsg: reader
 */
void kmsg_start(struct kmsg *kmsg)
{
	kmsg_dump_rewind(&kmsg->iter);
}

static bool kmsg_line(struct kmsg *kmsg)
{
	size_t len;

	if (!kmsg_dump_get_line(&kmsg->iter, false, kmsg->line,
				sizeof(kmsg->line) - 1, &len))
		return false;
	kmsg->line[len] = 0;
	return true;
}

/**
 * kmsg_skip - skip all messages so far
 * @kmsg: reader
 */
void kmsg_skip(struct kmsg *kmsg)
{
	while (kmsg_line(kmsg))
		;
}

/**
 * kmsg_next - read the next line about a device
 * @kmsg: reader
 * @fake: device
 *
 * Return: false if there is no further line about the device.
 */
bool kmsg_next(struct kmsg *kmsg, struct msyncfs_fake *fake)
{
	char text[DISK_NAME_LEN + 16];

	snprintf(text, sizeof(text), "msyncfs (%s):", fake->disk->disk_name);
	while (kmsg_line(kmsg))
		if (strstr(kmsg->line, text))
			return true;
	return false;
}

/**
 * kmsg_names - check if the last line names the blocks of an I/O
 * @kmsg: reader
 * @io: the I/O
 *
 * Return: true if the line names the block or the run of blocks, and a kind of
 * object. If the I/O is a bare flush: true if the line has the word "flush".
 */
bool kmsg_names(const struct kmsg *kmsg, const struct iolog_io *io)
{
	static const char * const objects[] = {
		"log", "home", "inode", "map", "bitmap", "directory",
		"root block", "superblock",
	};
	bool named = false;
	const char *at;
	unsigned int i;
	char text[32];

	if (!io->nr)
		return strstr(kmsg->line, "flush");
	snprintf(text, sizeof(text), "block %llu", io->blkno);
	at = strstr(kmsg->line, text);
	if (!at || isdigit(at[strlen(text)])) {
		snprintf(text, sizeof(text), "blocks %llu+%u:", io->blkno,
			 io->nr);
		at = strstr(kmsg->line, text);
	}
	for (i = 0; at && i < ARRAY_SIZE(objects); i++)
		named |= !!strstr(kmsg->line, objects[i]);
	return named;
}
