/* A tokenization's vocabulary: from a token's type and value to its id and back, in MidiTok's order, for any settled configuration.
 *
 * Most tokenizations have one vocabulary. CPWord, Octuple and MuMIDI have one for each column: a token is a row of ids then, [columns], and each type of
 * token has its place in one column. (Special tokens and Ignore_None are in every column, or nearly so, and have the same id in all.)
 * Where MidiTok would list one name twice, the first place counts, as in MidiTok. Programs stand in the order of a Python set: program_set_order.
 *
 * What stands for a value, by type (`value` below):
 *   pitches, intervals, positions, programs, Pedal: the number itself. Bar, PositionPosEnc: the number, or -1 None, -2 End
 *   Velocity, Tempo, TimeSig, PitchBend, MicroTiming: index into the tables below. Duration, TimeShift: into `durations`; Rest: into `rests`;
 *   Structured's TimeShift of no time: -1. Chord: (index of the map) [* 12 + root, C = 0], unknown ones behind the maps, by number of notes
 *   KeySig: 2 (key + 7) + tonality. ControlChange: number * 128 + value. Special: index into the configuration's list
 *   attribute controls: a running number. Family: 0 Metric, 1 Note. Ignore: 0 */
#ifndef REPRISE_VOCABULARY_H
#define REPRISE_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "text_buffer.h"
#include "tokenizer_config.h"

enum token_type {
    TOKEN_SPECIAL, TOKEN_BAR, TOKEN_PITCH, TOKEN_NOTE_ON, TOKEN_NOTE_OFF, TOKEN_VELOCITY, TOKEN_DURATION, TOKEN_POSITION, TOKEN_TIME_SHIFT,
    TOKEN_MICRO_TIMING, TOKEN_PITCH_INTERVAL_TIME, TOKEN_PITCH_INTERVAL_CHORD, TOKEN_PITCH_DRUM, TOKEN_DRUM_ON, TOKEN_DRUM_OFF, TOKEN_CHORD, TOKEN_REST,
    TOKEN_TEMPO, TOKEN_PROGRAM, TOKEN_TIME_SIG, TOKEN_KEY_SIG, TOKEN_PEDAL, TOKEN_PEDAL_OFF, TOKEN_PITCH_BEND, TOKEN_CONTROL_CHANGE, TOKEN_ATTRIBUTE_CONTROL,
    TOKEN_FAMILY, TOKEN_IGNORE, TOKEN_BAR_POS_ENC, TOKEN_POSITION_POS_ENC, TOKEN_TYPES
};

#define BAR_NONE (-1)
#define BAR_END (-2)
#define SHIFT_NONE (-1)
#define VOCABULARY_MOST_COLUMNS 10

struct token { enum token_type type; int32_t value; };
struct beat_time { int32_t beats, steps, resolution; }; /* (beats * resolution + steps) / resolution beats; PerTok: `resolution` ticks per quarter */

struct vocabulary_column { struct token *tokens; uint32_t *names; size_t count, capacity, name_capacity; }; /* by id; names: into name_bytes */
struct vocabulary_ids { int32_t *ids; size_t count, capacity; int column; }; /* ids[value - lowest of the type]; -1: no such token */

struct vocabulary {
    const struct tokenizer_config *config;
    int column_count;
    struct vocabulary_column columns[VOCABULARY_MOST_COLUMNS];
    struct vocabulary_ids of[TOKEN_TYPES];

    /* the values that tokens have */
    struct beat_time *durations, *rests;
    size_t duration_count, duration_capacity, rest_count, rest_capacity;
    int velocity_count;
    uint8_t velocities[127];                              /* ascending */
    double *tempos;                                       /* [config->num_tempos], ascending */
    int32_t *pitch_bends;                                 /* [config->pitch_bend_range.count], ascending */
    int32_t *microtimings;                                /* PerTok: [config->num_microtiming_bins + 1], ascending */
    int32_t *positions;                                   /* PerTok with use_position_toks: ascending */
    size_t position_count, position_capacity;
    int numerator_most, denominator_most;                 /* of time_signatures */
    size_t time_signature_count;                          /* without use_time_signatures 4/4 alone */
    const struct config_time_signature *time_signatures;

    struct text_buffer name_bytes;                        /* the tokens' names, each with its end */
    uint32_t *slots;                                      /* a hash table of names: 1 + column << 24 | id, or 0 */
    size_t slot_count, name_count;
};

/* The least value of each type: what its table of ids begins with. */
extern const int32_t token_lowest[TOKEN_TYPES];
extern const char *const token_type_names[TOKEN_TYPES]; /* "Pitch", …; of special tokens and attribute controls, whose names are their own, "" */

/* Fills `vocabulary` for a settled configuration, which must outlive it. 0, or -1 with `why`. Not for AMT, whose ids are in amt.h. */
int vocabulary_make(struct vocabulary *vocabulary, const struct tokenizer_config *config, struct reason *why) __attribute__((warn_unused_result));
void vocabulary_free(struct vocabulary *vocabulary);

/* The id of a token, in its type's column; -1: there is none. */
static inline int32_t vocabulary_id(const struct vocabulary *vocabulary, enum token_type type, int32_t value)
{
    int64_t at = (int64_t)value - token_lowest[type];
    return at >= 0 && (uint64_t)at < vocabulary->of[type].count ? vocabulary->of[type].ids[at] : -1;
}

/* The token of an id; its type is TOKEN_TYPES if there is none. */
struct token vocabulary_token(const struct vocabulary *vocabulary, int column, int32_t id);
/* MidiTok's name of a token ("Pitch_60"), or NULL. */
const char *vocabulary_name(const struct vocabulary *vocabulary, int column, int32_t id);
/* The id of a name, or -1. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, int column, const char *name);

/* Ticks of a time of the vocabulary where a beat has so many. */
static inline int32_t beat_time_ticks(struct beat_time time, int32_t ticks_per_beat)
{
    return (int32_t)(((int64_t)time.beats * time.resolution + time.steps) * ticks_per_beat / time.resolution);
}

/* The order in which Python (3.8 to 3.13) walks through set(programs): what MidiTok's vocabulary lists. */
void program_set_order(const struct program_set *set, int8_t order[129]);

#endif
