/* MTrk chunks of a Standard MIDI File, serialized by libsmf.
 *
 * libsmf 1.3 does some things in quadratic time: every event looks through the tempos, every byte run that is saved through all tracks, and smf_delete through all events. So
 * each chunk is a piece of its own to libsmf, and a long one is made of slices of SLICE events, each in time order, whose bytes are put end to end: memory stays
 * bounded and the time linear. It can only save to a path, so it gets a file in memory. */
#ifndef REPRISE_SMF_CHUNK_H
#define REPRISE_SMF_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "text_buffer.h"

#define SMF_EVENT_BYTES 7

struct smf_event_bytes { int32_t time; uint8_t count, bytes[SMF_EVENT_BYTES]; }; /* a complete event with its status, without running status */

struct smf_chunks;

/* NULL with `why`. */
struct smf_chunks *smf_chunks_open(struct reason *why) __attribute__((warn_unused_result));
void smf_chunks_close(struct smf_chunks *chunks); /* NULL is allowed */

/* Appends an MTrk chunk: first the track's name (NULL: none; at most 127 bytes), then the events, which are in order of time, 0 .. 0x0fffffff, then the end of the
 * track. 0, or -1 with `why`. */
int smf_chunk_add(struct smf_chunks *chunks, const char *name, const struct smf_event_bytes *events, size_t count, struct text_buffer *out,
                  struct reason *why) __attribute__((warn_unused_result));

#endif
