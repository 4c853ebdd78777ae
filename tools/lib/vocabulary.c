#include "vocabulary.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "vocabulary_values.h"

const int32_t token_lowest[TOKEN_TYPES] = {
    [TOKEN_BAR] = BAR_END, [TOKEN_TIME_SHIFT] = SHIFT_NONE, [TOKEN_PITCH_INTERVAL_TIME] = -127, [TOKEN_PITCH_INTERVAL_CHORD] = -127, [TOKEN_PROGRAM] = -1,
    [TOKEN_PEDAL] = -1, [TOKEN_PEDAL_OFF] = -1, [TOKEN_POSITION_POS_ENC] = BAR_NONE,
};

const char *const token_type_names[TOKEN_TYPES] = {
    "", "Bar", "Pitch", "NoteOn", "NoteOff", "Velocity", "Duration", "Position", "TimeShift", "MicroTiming", "PitchIntervalTime", "PitchIntervalChord",
    "PitchDrum", "DrumOn", "DrumOff", "Chord", "Rest", "Tempo", "Program", "TimeSig", "KeySig", "Pedal", "PedalOff", "PitchBend", "ControlChange", "",
    "Family", "Ignore", "BarPosEnc", "PositionPosEnc",
};

/* ---- names and ids ---- */

static size_t hash_of(int column, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u + (uint64_t)column;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 29);
}

static const char *name_of(const struct vocabulary *vocabulary, uint32_t slot)
{
    const struct vocabulary_column *column = &vocabulary->columns[(slot - 1) >> 24];
    return vocabulary->name_bytes.bytes + column->names[(slot - 1) & 0xffffff];
}

/* The slot that holds the name, or the free one for it. */
static uint32_t *slot_of(const struct vocabulary *vocabulary, int column, const char *name)
{
    size_t at = hash_of(column, name) & (vocabulary->slot_count - 1);
    while (vocabulary->slots[at] && ((int)((vocabulary->slots[at] - 1) >> 24) != column || strcmp(name_of(vocabulary, vocabulary->slots[at]), name) != 0))
        at = (at + 1) & (vocabulary->slot_count - 1);
    return &vocabulary->slots[at];
}

static int more_slots(struct vocabulary *vocabulary, struct reason *why)
{
    struct vocabulary larger = *vocabulary;
    larger.slot_count = vocabulary->slot_count ? 2 * vocabulary->slot_count : 2048;
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return fail(why, "out of memory");
    for (size_t i = 0; i < vocabulary->slot_count; i++)
        if (vocabulary->slots[i])
            *slot_of(&larger, (int)((vocabulary->slots[i] - 1) >> 24), name_of(vocabulary, vocabulary->slots[i])) = vocabulary->slots[i];
    free(vocabulary->slots);
    *vocabulary = larger;
    return 0;
}

static int set_id(struct vocabulary_ids *ids, size_t at, int32_t id, int column, struct reason *why)
{
    if (GROW(ids->ids, ids->capacity, at + 1, why) < 0)
        return -1;
    while (ids->count <= at)
        ids->ids[ids->count++] = -1;
    if (ids->ids[at] < 0)
        ids->ids[at] = id;
    ids->column = column;
    return 0;
}

/* What a vocabulary is made with. A failure is remembered, so that lists of tokens need no checks. */
struct maker { struct vocabulary *vocabulary; struct reason *why; int column, failed; };

static void add(struct maker *maker, enum token_type type, int32_t value, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void add(struct maker *maker, enum token_type type, int32_t value, const char *format, ...)
{
    struct vocabulary *vocabulary = maker->vocabulary;
    struct vocabulary_column *column = &vocabulary->columns[maker->column];
    char name[2 * CONFIG_NAME];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (maker->failed)
        return;
    maker->failed = -1;
    if (2 * vocabulary->name_count >= vocabulary->slot_count && more_slots(vocabulary, maker->why) < 0)
        return;
    uint32_t *slot = slot_of(vocabulary, maker->column, name);
    if (!*slot) {
        if (GROW(column->tokens, column->capacity, column->count + 1, maker->why) < 0 ||
            GROW(column->names, column->name_capacity, column->count + 1, maker->why) < 0)
            return;
        if (column->count >= 0xffffff) {
            fail(maker->why, "a vocabulary of more than 16 million tokens");
            return;
        }
        column->tokens[column->count] = (struct token){type, value};
        column->names[column->count] = (uint32_t)vocabulary->name_bytes.count;
        text_add(&vocabulary->name_bytes, name, strlen(name) + 1);
        if (vocabulary->name_bytes.failed) {
            fail(maker->why, "out of memory");
            return;
        }
        *slot = 1 + ((uint32_t)maker->column << 24 | (uint32_t)column->count++);
        vocabulary->name_count++;
    }
    int32_t id = (int32_t)((*slot - 1) & 0xffffff);
    maker->failed = set_id(&vocabulary->of[type], (size_t)(value - token_lowest[type]), id, maker->column, maker->why);
}

/* ---- groups of tokens ---- */

static void add_numbers(struct maker *maker, enum token_type type, int32_t first, int32_t last)
{
    for (int32_t i = first; i <= last; i++)
        add(maker, type, i, "%s_%d", token_type_names[type], i);
}

static void add_pitches(struct maker *maker, enum token_type type, struct config_span range)
{
    add_numbers(maker, type, range.first, range.last);
}

static void add_times(struct maker *maker, enum token_type type, const struct beat_time *times, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(maker, type, (int32_t)i, "%s_%d.%d.%d", token_type_names[type], times[i].beats, times[i].steps, times[i].resolution);
}

static void add_velocities(struct maker *maker)
{
    for (int i = 0; i < maker->vocabulary->velocity_count; i++)
        add(maker, TOKEN_VELOCITY, i, "Velocity_%d", maker->vocabulary->velocities[i]);
}

static void add_programs(struct maker *maker, enum token_type type)
{
    int8_t order[129];
    struct program_set set = maker->vocabulary->config->programs;
    program_set_order(&set, order);
    if (maker->vocabulary->config->tokenization == MMM) { /* its base tokenizer has a copy of the set, filled in that order */
        memcpy(set.programs, order, set.count);
        program_set_order(&set, order);
    }
    for (size_t i = 0; i < set.count; i++)
        add(maker, type, order[i], "%s_%d", token_type_names[type], order[i]);
}

static void add_chords(struct maker *maker)
{
    static const char *const classes[] = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};
    const struct tokenizer_config *config = maker->vocabulary->config;
    int root = config->chord_tokens_with_root_note;
    int32_t value = 0;
    for (size_t i = 0; i < config->chord_maps.count; i++)
        for (int class = 0; class < (root ? 12 : 1); class++)
            add(maker, TOKEN_CHORD, value++, "Chord_%s%s%s", root ? classes[class] : "", root ? ":" : "", config->chord_maps.maps[i].name);
    for (int32_t notes = config->chord_unknown.first; config->chord_unknown.given && notes < config->chord_unknown.end; notes++)
        for (int class = 0; class < (root ? 12 : 1); class++)
            add(maker, TOKEN_CHORD, value++, "Chord_%s%s%d", root ? classes[class] : "", root ? ":ukn" : "", notes);
}

static void add_tempos(struct maker *maker)
{
    for (int32_t i = 0; i < maker->vocabulary->config->num_tempos; i++) {
        char number[64];
        python_float(maker->vocabulary->tempos[i], number, sizeof number);
        add(maker, TOKEN_TEMPO, i, "Tempo_%s", number);
    }
}

static void add_time_signatures(struct maker *maker)
{
    for (size_t i = 0; i < maker->vocabulary->time_signature_count; i++)
        add(maker, TOKEN_TIME_SIG, (int32_t)i, "TimeSig_%d/%d", maker->vocabulary->time_signatures[i].numerator,
            maker->vocabulary->time_signatures[i].denominator);
}

static void add_control_changes(struct maker *maker)
{
    uint8_t values[128];
    for (int number = 0; number < 128; number++) {
        if (!maker->vocabulary->config->control_change_numbers[number])
            continue;
        int count = control_values(maker->vocabulary->config, number, values);
        for (int i = 0; i < count; i++)
            add(maker, TOKEN_CONTROL_CHANGE, number * 128 + values[i], "ControlChange_%d-%d", number, values[i]);
    }
}

static void add_note_tokens(struct maker *maker)
{
    const struct tokenizer_config *config = maker->vocabulary->config;
    int on_off = config_note_on_off(config), durations = config->use_note_duration_programs.count > 0;
    add_pitches(maker, on_off ? TOKEN_NOTE_ON : TOKEN_PITCH, config->pitch_range);
    if (on_off && durations)
        add_pitches(maker, TOKEN_NOTE_OFF, config->pitch_range);
    add_velocities(maker);
    if ((!on_off && durations) || config->sustain_pedal_duration)
        add_times(maker, TOKEN_DURATION, maker->vocabulary->durations, maker->vocabulary->duration_count);
}

static void add_additional_tokens(struct maker *maker)
{
    const struct vocabulary *vocabulary = maker->vocabulary;
    const struct tokenizer_config *config = vocabulary->config;
    if (config->use_pitch_intervals) {
        add_numbers(maker, TOKEN_PITCH_INTERVAL_TIME, -config->max_pitch_interval, config->max_pitch_interval);
        add_numbers(maker, TOKEN_PITCH_INTERVAL_CHORD, -config->max_pitch_interval, config->max_pitch_interval);
    }
    if (config->use_pitchdrum_tokens) {
        add_pitches(maker, config_note_on_off(config) ? TOKEN_DRUM_ON : TOKEN_PITCH_DRUM, config->drums_pitch_range);
        if (config_note_on_off(config))
            add_pitches(maker, TOKEN_DRUM_OFF, config->drums_pitch_range);
    }
    if (config->use_chords)
        add_chords(maker);
    if (config->use_rests)
        add_times(maker, TOKEN_REST, vocabulary->rests, vocabulary->rest_count);
    if (config->use_tempos)
        add_tempos(maker);
    if (config->use_programs)
        add_programs(maker, TOKEN_PROGRAM);
    if (config->use_time_signatures)
        add_time_signatures(maker);
    for (int32_t i = 0; config->use_key_signatures && i < 30; i++)
        add(maker, TOKEN_KEY_SIG, i, "KeySig_%d:%d", i / 2 - 7, i % 2);
    if (config->use_sustain_pedals && config->use_programs)
        add_programs(maker, TOKEN_PEDAL);
    else if (config->use_sustain_pedals)
        add_numbers(maker, TOKEN_PEDAL, 0, 0);
    if (config->use_sustain_pedals && !config->sustain_pedal_duration && config->use_programs)
        add_programs(maker, TOKEN_PEDAL_OFF);
    else if (config->use_sustain_pedals && !config->sustain_pedal_duration)
        add_numbers(maker, TOKEN_PEDAL_OFF, 0, 0);
    for (int32_t i = 0; config->use_pitch_bends && i < config->pitch_bend_range.count; i++)
        add(maker, TOKEN_PITCH_BEND, i, "PitchBend_%d", vocabulary->pitch_bends[i]);
    if (config->use_control_changes)
        add_control_changes(maker);
}

static void add_durations_present(struct maker *maker, const char *name)
{
    static const char *const lengths[] = {"Whole", "Half", "Quarter", "Eight", "Sixteenth", "ThirtySecond"};
    for (int i = 0; i < 12; i++)
        add(maker, TOKEN_ATTRIBUTE_CONTROL, (int32_t)maker->vocabulary->of[TOKEN_ATTRIBUTE_CONTROL].count, "%s%s_%d", name, lengths[i / 2], i % 2);
}

static void add_attribute_controls(struct maker *maker)
{
    const struct tokenizer_config *config = maker->vocabulary->config;
    const struct vocabulary_ids *added = &maker->vocabulary->of[TOKEN_ATTRIBUTE_CONTROL];
#define CONTROL(...) add(maker, TOKEN_ATTRIBUTE_CONTROL, (int32_t)added->count, __VA_ARGS__)
    for (int i = config->ac_polyphony_min; config->ac_polyphony_track && i <= config->ac_polyphony_max; i++)
        CONTROL("ACTrackOnsetPolyphonyMin_%d", i);
    for (int i = config->ac_polyphony_min; config->ac_polyphony_track && i <= config->ac_polyphony_max; i++)
        CONTROL("ACTrackOnsetPolyphonyMax_%d", i);
    for (int i = config->ac_polyphony_min; config->ac_polyphony_bar && i <= config->ac_polyphony_max; i++)
        CONTROL("ACBarOnsetPolyphonyMin_%d", i);
    for (int i = config->ac_polyphony_min; config->ac_polyphony_bar && i <= config->ac_polyphony_max; i++)
        CONTROL("ACBarOnsetPolyphonyMax_%d", i);
    for (int i = 0; config->ac_pitch_class_bar && i < 12; i++)
        CONTROL("ACBarPitchClass_%d", i);
    if (config->ac_note_density_track) {
        for (int i = config->ac_note_density_track_min; i < config->ac_note_density_track_max; i++)
            CONTROL("ACTrackNoteDensityMin_%d", i);
        for (int i = config->ac_note_density_track_min; i < config->ac_note_density_track_max; i++)
            CONTROL("ACTrackNoteDensityMax_%d", i);
        CONTROL("ACTrackNoteDensityMin_%d+", config->ac_note_density_track_max);
        CONTROL("ACTrackNoteDensityMax_%d+", config->ac_note_density_track_max);
    }
    if (config->ac_note_density_bar) {
        for (int i = 0; i < config->ac_note_density_bar_max; i++)
            CONTROL("ACBarNoteDensity_%d", i);
        CONTROL("ACBarNoteDensity_%d+", config->ac_note_density_bar_max);
    }
    if (config->ac_note_duration_bar)
        add_durations_present(maker, "ACBarNoteDuration");
    if (config->ac_note_duration_track)
        add_durations_present(maker, "ACTrackNoteDuration");
    for (int i = 0, bins = config->ac_repetition_track_num_bins; config->ac_repetition_track && i < bins; i++)
        CONTROL("ACTrackRepetition_%.2f", linspace(0, 1, bins, i));
#undef CONTROL
}

/* ---- the vocabularies ---- */

static void add_specials(struct maker *maker)
{
    for (size_t i = 0; i < maker->vocabulary->config->special_tokens.count; i++)
        add(maker, TOKEN_SPECIAL, (int32_t)i, "%s", maker->vocabulary->config->special_tokens.names[i]);
}

static void begin_column(struct maker *maker, int ignore)
{
    maker->column = maker->vocabulary->column_count++;
    add_specials(maker);
    if (ignore)
        add(maker, TOKEN_IGNORE, 0, "Ignore_None");
}

static int32_t most_positions(const struct vocabulary *vocabulary)
{
    return config_positions_per_beat(vocabulary->config) * vocabulary->numerator_most;
}

static void add_bars(struct maker *maker)
{
    const struct tokenizer_config *config = maker->vocabulary->config;
    if (config->max_bar_embedding < 0)
        add(maker, TOKEN_BAR, BAR_NONE, "Bar_None");
    else
        add_numbers(maker, TOKEN_BAR, 0, config->max_bar_embedding - 1);
    if (config->use_bar_end_tokens)
        add(maker, TOKEN_BAR, BAR_END, "Bar_End");
}

static void make_single(struct maker *maker)
{
    const struct vocabulary *vocabulary = maker->vocabulary;
    const struct tokenizer_config *config = vocabulary->config;
    enum tokenization base = config->tokenization == MMM ? config->base_tokenizer : config->tokenization;
    begin_column(maker, 0);
    if (base == REMI)
        add_bars(maker);
    if (base == PER_TOK)
        add(maker, TOKEN_BAR, BAR_NONE, "Bar_None");
    add_note_tokens(maker);
    if (base == REMI)
        add_numbers(maker, TOKEN_POSITION, 0, most_positions(vocabulary) - 1);
    if (base == STRUCTURED)
        add(maker, TOKEN_TIME_SHIFT, SHIFT_NONE, "TimeShift_0.0.1");
    for (size_t i = 0; base == PER_TOK && config->use_position_toks && i < vocabulary->position_count; i++)
        add_numbers(maker, TOKEN_POSITION, vocabulary->positions[i], vocabulary->positions[i]);
    if (base == TSD || base == MIDI_LIKE || base == STRUCTURED || (base == PER_TOK && !config->use_position_toks))
        add_times(maker, TOKEN_TIME_SHIFT, vocabulary->durations, vocabulary->duration_count);
    for (int32_t i = 0; base == PER_TOK && config->use_microtiming && i <= config->num_microtiming_bins; i++)
        add(maker, TOKEN_MICRO_TIMING, i, "MicroTiming_%d", vocabulary->microtimings[i]);
    add_additional_tokens(maker);
    if (!config->one_token_stream_for_programs)
        add_attribute_controls(maker);
}

static void make_cp_word(struct maker *maker)
{
    const struct vocabulary *vocabulary = maker->vocabulary;
    const struct tokenizer_config *config = vocabulary->config;
    begin_column(maker, 0);
    add(maker, TOKEN_FAMILY, 0, "Family_Metric");
    add(maker, TOKEN_FAMILY, 1, "Family_Note");
    begin_column(maker, 1);
    add(maker, TOKEN_BAR, BAR_NONE, "Bar_None");
    add_numbers(maker, TOKEN_POSITION, 0, most_positions(vocabulary) - 1);
    begin_column(maker, 1);
    add_pitches(maker, TOKEN_PITCH, config->pitch_range);
    if (config->use_pitchdrum_tokens)
        add_pitches(maker, TOKEN_PITCH_DRUM, config->drums_pitch_range);
    if (config->use_velocities) {
        begin_column(maker, 1);
        add_velocities(maker);
    }
    if (config->use_note_duration_programs.count > 0) {
        begin_column(maker, 1);
        add_times(maker, TOKEN_DURATION, vocabulary->durations, vocabulary->duration_count);
    }
    if (config->use_programs) {
        begin_column(maker, 1);
        add_programs(maker, TOKEN_PROGRAM);
    }
    if (config->use_chords) {
        begin_column(maker, 1);
        add_chords(maker);
    }
    if (config->use_rests) {
        begin_column(maker, 1);
        add_times(maker, TOKEN_REST, vocabulary->rests, vocabulary->rest_count);
    }
    if (config->use_tempos) {
        begin_column(maker, 1);
        add_tempos(maker);
    }
    if (config->use_time_signatures) {
        begin_column(maker, 1);
        add_time_signatures(maker);
    }
}

static void make_octuple(struct maker *maker)
{
    const struct vocabulary *vocabulary = maker->vocabulary;
    const struct tokenizer_config *config = vocabulary->config;
    begin_column(maker, 0);
    add_pitches(maker, TOKEN_PITCH, config->pitch_range);
    if (config->use_pitchdrum_tokens)
        add_pitches(maker, TOKEN_PITCH_DRUM, config->drums_pitch_range);
    begin_column(maker, 0);
    add_numbers(maker, TOKEN_POSITION, 0, most_positions(vocabulary) - 1);
    begin_column(maker, 0);
    add_numbers(maker, TOKEN_BAR, 0, config->max_bar_embedding - 1);
    if (config->use_velocities) {
        begin_column(maker, 0);
        add_velocities(maker);
    }
    if (config->use_note_duration_programs.count > 0) {
        begin_column(maker, 0);
        add_times(maker, TOKEN_DURATION, vocabulary->durations, vocabulary->duration_count);
    }
    if (config->use_programs) {
        begin_column(maker, 0);
        add_programs(maker, TOKEN_PROGRAM);
    }
    if (config->use_tempos) {
        begin_column(maker, 0);
        add_tempos(maker);
    }
    if (config->use_time_signatures) {
        begin_column(maker, 0);
        add_time_signatures(maker);
    }
}

static void make_mu_midi(struct maker *maker)
{
    const struct vocabulary *vocabulary = maker->vocabulary;
    const struct tokenizer_config *config = vocabulary->config;
    begin_column(maker, 0);
    add_pitches(maker, TOKEN_PITCH, config->pitch_range);
    add_pitches(maker, TOKEN_PITCH_DRUM, config->drums_pitch_range);
    add(maker, TOKEN_BAR, BAR_NONE, "Bar_None");
    add_numbers(maker, TOKEN_POSITION, 0, most_positions(vocabulary) - 1);
    add_programs(maker, TOKEN_PROGRAM);
    if (config->use_chords)
        add_chords(maker);
    begin_column(maker, 0);
    add_numbers(maker, TOKEN_BAR_POS_ENC, 0, config->max_bar_embedding - 1);
    begin_column(maker, 0);
    add(maker, TOKEN_POSITION_POS_ENC, BAR_NONE, "PositionPosEnc_None");
    add_numbers(maker, TOKEN_POSITION_POS_ENC, 0, most_positions(vocabulary) - 1);
    if (config->use_tempos) {
        begin_column(maker, 0);
        add_tempos(maker);
    }
    if (config->use_velocities) {
        begin_column(maker, 0);
        add_velocities(maker);
    }
    if (config->use_note_duration_programs.count > 0) {
        begin_column(maker, 0);
        add_times(maker, TOKEN_DURATION, vocabulary->durations, vocabulary->duration_count);
    }
}

int vocabulary_make(struct vocabulary *vocabulary, const struct tokenizer_config *config, struct reason *why)
{
    *vocabulary = (struct vocabulary){.config = config};
    struct maker maker = {.vocabulary = vocabulary, .why = why};
    if (vocabulary_values_make(vocabulary, why) < 0)
        return -1;
    switch (config->tokenization) {
    case CP_WORD: make_cp_word(&maker); break;
    case OCTUPLE: make_octuple(&maker); break;
    case MU_MIDI: make_mu_midi(&maker); break;
    default: make_single(&maker); break;
    }
    return maker.failed;
}

void vocabulary_free(struct vocabulary *vocabulary)
{
    for (int i = 0; i < VOCABULARY_MOST_COLUMNS; i++) {
        free(vocabulary->columns[i].tokens);
        free(vocabulary->columns[i].names);
    }
    for (int type = 0; type < TOKEN_TYPES; type++)
        free(vocabulary->of[type].ids);
    free(vocabulary->durations);
    free(vocabulary->rests);
    free(vocabulary->tempos);
    free(vocabulary->pitch_bends);
    free(vocabulary->microtimings);
    free(vocabulary->positions);
    free(vocabulary->slots);
    text_free(&vocabulary->name_bytes);
    *vocabulary = (struct vocabulary){0};
}

/* ---- the way back ---- */

struct token vocabulary_token(const struct vocabulary *vocabulary, int column, int32_t id)
{
    if (column < 0 || column >= vocabulary->column_count || id < 0 || (size_t)id >= vocabulary->columns[column].count)
        return (struct token){TOKEN_TYPES, 0};
    return vocabulary->columns[column].tokens[id];
}

const char *vocabulary_name(const struct vocabulary *vocabulary, int column, int32_t id)
{
    if (vocabulary_token(vocabulary, column, id).type == TOKEN_TYPES)
        return NULL;
    return vocabulary->name_bytes.bytes + vocabulary->columns[column].names[id];
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, int column, const char *name)
{
    if (vocabulary->slot_count == 0)
        return -1;
    uint32_t slot = *slot_of(vocabulary, column, name);
    return slot ? (int32_t)((slot - 1) & 0xffffff) : -1;
}
