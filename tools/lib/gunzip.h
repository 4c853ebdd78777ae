/* Unpacking gzip data (RFC 1952) within limits, so that a small file cannot fill the memory.
 *
 * All members are unpacked, end to end; what follows the last is ignored, as gzip does. Their checksums are checked. Data that would unpack to more than
 * GUNZIP_RATIO times its size (1 MiB is always allowed), or to more than GUNZIP_MOST bytes, is refused before more than that is held. */
#ifndef REPRISE_GUNZIP_H
#define REPRISE_GUNZIP_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define GUNZIP_RATIO 100 /* the most repetitive music met packs 30:1, an empty bomb 1000:1 */
#define GUNZIP_MOST ((size_t)64 << 20)

struct unpacked { uint8_t *bytes; size_t count, capacity; }; /* start with {0}; the memory is kept from call to call */

int is_gzip(const uint8_t *bytes, size_t count);
/* 0, or -1 with `why`: then `out` holds what could be unpacked before the fault; nothing, if it was too much. */
int gunzip(const uint8_t *bytes, size_t count, struct unpacked *out, struct reason *why) __attribute__((warn_unused_result));
void unpacked_free(struct unpacked *unpacked);

#endif
