// SPDX-License-Identifier: GPL-2.0
/* These functions write sizes and UUIDs as text. */
#include "device.h"

#include <stdio.h>

/* Write a size as text into @buf, for example "64.0 MiB". */
const char *size_text(u64 bytes, char buf[32])
{
	static const char * const unit[] = {
		"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	double v = bytes;
	unsigned int i;

	for (i = 0; v >= 1024 && i + 1 < ARRAY_SIZE(unit); i++)
		v /= 1024;
	snprintf(buf, 32, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return buf;
}

/* Write a UUID in its usual notation into @buf. */
const char *uuid_text(const u8 uuid[16], char buf[40])
{
	char *p = buf;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += sprintf(p, "%02x", uuid[i]);
	}
	return buf;
}
