/* The table of a TokenizerConfig's fields: what tokenizer_config.c reads and writes, by name. */
#ifndef REPRISE_CONFIG_FIELD_H
#define REPRISE_CONFIG_FIELD_H

#include <cjson/cJSON.h>

#include "tokenizer_config.h"

enum config_kind {
    FIELD_FLAG, FIELD_WHOLE, FIELD_WHOLE_OR_NULL, FIELD_NUMBER, FIELD_PITCHES, FIELD_BEATS, FIELD_SPECIALS, FIELD_SPLIT, FIELD_PROGRAMS, FIELD_CONTROLS,
    FIELD_CHORD_MAPS, FIELD_CHORD_UNKNOWN, FIELD_TEMPO_RANGE, FIELD_TIME_SIGNATURES, FIELD_BEND_RANGE, FIELD_BASE, FIELD_TRIPLE
};

struct config_field {
    const char *name;
    enum config_kind kind;
    size_t offset;       /* in struct tokenizer_config */
    double least, most;  /* of numbers */
    unsigned additional; /* 0: a field of TokenizerConfig itself; else the tokenizations (1 << REMI | …) that have it in additional_params */
};

extern const struct config_field config_fields[];
extern const size_t config_field_count;

const struct config_field *config_field_find(const char *name);
/* Sets the field from JSON. 0, or -1 with `why`, which names the field. */
int config_field_read(struct tokenizer_config *config, const struct config_field *field, const cJSON *value, struct reason *why)
    __attribute__((warn_unused_result));
/* Appends the value as JSON. */
void config_field_write(const struct tokenizer_config *config, const struct config_field *field, struct text_buffer *out);

#endif
