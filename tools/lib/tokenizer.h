/* A tokenizer: a settled configuration, its vocabulary, and every table that is made from them once, so that files only look things up. */
#ifndef REPRISE_TOKENIZER_H
#define REPRISE_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "beat_table.h"
#include "message.h"
#include "tokenizer_config.h"
#include "vocabulary.h"

struct tick_time { int32_t ticks, index; }; /* PerTok: a duration */

struct tokenizer {
    struct tokenizer_config config;
    struct vocabulary vocabulary;
    struct beat_tables durations, rests;
    struct tick_time *tick_times; /* PerTok: [tick_time_count], ascending */
    size_t tick_time_count;
    int32_t positions; /* per beat */
    int note_on_off;
    uint8_t nearest_velocity[128]; /* index into the vocabulary's velocities */
    uint8_t nearest_control[128][128]; /* control number, value: the value that tokens can say */
    uint8_t kinds[256][8];         /* numerator, log2 of denominator: 1 + index of the time signature in the vocabulary (the first 255), or 0 */

    /* ids by what a note has, [program + 1] or index, for quick looking up */
    int32_t program_ids[129];
    const int32_t *velocity_ids, *duration_ids; /* NULL: the vocabulary has none */
    unsigned kinds_with_program; /* bits by enum event_kind (score_events.h): a Program token stands before these */
};

/* Settles `tokenizer->config`, which the caller has filled, and makes the rest. 0, or -1 with `why`. */
int tokenizer_make(struct tokenizer *tokenizer, struct reason *why) __attribute__((warn_unused_result));
void tokenizer_free(struct tokenizer *tokenizer);

#endif
