/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The format of a recording. disk.c writes it, record.c reads it. A recording
 * is a sequence of entries. The recordings of several disks follow one another.
 */
#ifndef EXPLORE_RECORDING_H
#define EXPLORE_RECORDING_H

#include <stdint.h>

/*
 * ENTRY_WRITE and ENTRY_FLUSH stand where the request arrived, and ENTRY_DONE
 * where it was answered.
 */
#define ENTRY_WRITE	'w'	/* the data follows */
#define ENTRY_FLUSH	'f'
#define ENTRY_DONE	'd'
#define ENTRY_ACK	'a'	/* a sector of text follows: LOAD VARIANT TEXT */
#define ENTRY_END	'e'	/* an unused sector follows; the last entry of a disk */

/**
 * struct entry - an entry of a recording
 * @type: one of the types above; 0 behind the last entry of the recording
 * @fua: the write is durable when it is answered
 * @id: number of the write or flush
 * @sector: first sector of the write
 * @nr: number of sectors
 */
struct entry {
	uint32_t	type, fua;
	uint64_t	id, sector, nr;
};

#endif /* EXPLORE_RECORDING_H */
