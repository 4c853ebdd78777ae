#include "config_field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define F(name, kind, least, most) {#name, kind, offsetof(struct tokenizer_config, name), least, most, 0}
#define A(name, kind, least, most, tokenizations) {#name, kind, offsetof(struct tokenizer_config, name), least, most, tokenizations}
#define BARS (1u << REMI | 1u << OCTUPLE | 1u << MU_MIDI | 1u << MMM)

/* In the order of MidiTok's files. */
const struct config_field config_fields[] = {
    F(pitch_range, FIELD_PITCHES, 0, 127),
    F(beat_res, FIELD_BEATS, 1, 1024),
    F(num_velocities, FIELD_WHOLE, 1, 127),
    F(remove_duplicated_notes, FIELD_FLAG, 0, 1),
    F(encode_ids_split, FIELD_SPLIT, 0, 0),
    F(special_tokens, FIELD_SPECIALS, 0, 0),
    F(use_velocities, FIELD_FLAG, 0, 1),
    F(use_note_duration_programs, FIELD_PROGRAMS, -1, 127),
    F(use_chords, FIELD_FLAG, 0, 1),
    F(use_rests, FIELD_FLAG, 0, 1),
    F(use_tempos, FIELD_FLAG, 0, 1),
    F(use_time_signatures, FIELD_FLAG, 0, 1),
    F(use_key_signatures, FIELD_FLAG, 0, 1),
    F(use_sustain_pedals, FIELD_FLAG, 0, 1),
    F(use_pitch_bends, FIELD_FLAG, 0, 1),
    F(use_control_changes, FIELD_FLAG, 0, 1),
    F(control_change_numbers, FIELD_CONTROLS, 0, 127),
    F(control_change_n_bins, FIELD_WHOLE, 2, 128),
    F(use_programs, FIELD_FLAG, 0, 1),
    F(use_pitch_intervals, FIELD_FLAG, 0, 1),
    F(use_pitchdrum_tokens, FIELD_FLAG, 0, 1),
    F(default_note_duration, FIELD_NUMBER, 0, 1024),
    F(programs, FIELD_PROGRAMS, -1, 127),
    F(one_token_stream_for_programs, FIELD_FLAG, 0, 1),
    F(program_changes, FIELD_FLAG, 0, 1),
    F(beat_res_rest, FIELD_BEATS, 1, 1024),
    F(chord_maps, FIELD_CHORD_MAPS, -127, 127),
    F(chord_tokens_with_root_note, FIELD_FLAG, 0, 1),
    F(chord_unknown, FIELD_CHORD_UNKNOWN, 0, 128),
    F(num_tempos, FIELD_WHOLE, 1, 8192),
    F(tempo_range, FIELD_TEMPO_RANGE, 1, 60e6),
    F(log_tempos, FIELD_FLAG, 0, 1),
    F(delete_equal_successive_tempo_changes, FIELD_FLAG, 0, 1),
    F(time_signature_range, FIELD_TIME_SIGNATURES, 1, 255),
    F(delete_equal_successive_time_sig_changes, FIELD_FLAG, 0, 1),
    F(sustain_pedal_duration, FIELD_FLAG, 0, 1),
    F(pitch_bend_range, FIELD_BEND_RANGE, -8192, 8191),
    F(max_pitch_interval, FIELD_WHOLE, 0, 127),
    F(pitch_intervals_max_time_dist, FIELD_NUMBER, 0, 1024),
    F(drums_pitch_range, FIELD_PITCHES, 0, 127),
    F(ac_polyphony_track, FIELD_FLAG, 0, 1),
    F(ac_polyphony_bar, FIELD_FLAG, 0, 1),
    F(ac_polyphony_min, FIELD_WHOLE, 0, 1024),
    F(ac_polyphony_max, FIELD_WHOLE, 0, 1024),
    F(ac_pitch_class_bar, FIELD_FLAG, 0, 1),
    F(ac_note_density_track, FIELD_FLAG, 0, 1),
    F(ac_note_density_track_min, FIELD_WHOLE, 0, 1024),
    F(ac_note_density_track_max, FIELD_WHOLE, 0, 1024),
    F(ac_note_density_bar, FIELD_FLAG, 0, 1),
    F(ac_note_density_bar_max, FIELD_WHOLE, 0, 1024),
    F(ac_note_duration_bar, FIELD_FLAG, 0, 1),
    F(ac_note_duration_track, FIELD_FLAG, 0, 1),
    F(ac_repetition_track, FIELD_FLAG, 0, 1),
    F(ac_repetition_track_num_bins, FIELD_WHOLE, 1, 1024),
    F(ac_repetition_track_num_consec_bars, FIELD_WHOLE, 0, 1024),
    A(max_bar_embedding, FIELD_WHOLE_OR_NULL, 1, 1 << 16, BARS),
    A(use_bar_end_tokens, FIELD_FLAG, 0, 1, 1u << REMI | 1u << MMM),
    A(add_trailing_bars, FIELD_FLAG, 0, 1, 1u << REMI | 1u << MMM),
    A(ticks_per_quarter, FIELD_WHOLE, 1, 32767, 1u << PER_TOK),
    A(use_microtiming, FIELD_FLAG, 0, 1, 1u << PER_TOK),
    A(max_microtiming_shift, FIELD_NUMBER, 0, 64, 1u << PER_TOK),
    A(num_microtiming_bins, FIELD_WHOLE, 1, 8192, 1u << PER_TOK),
    A(use_position_toks, FIELD_FLAG, 0, 1, 1u << PER_TOK),
    A(base_tokenizer, FIELD_BASE, 0, 0, 1u << MMM),
    A(max_duration, FIELD_TRIPLE, 0, 1024, 1u << MIDI_LIKE | 1u << MMM),
};
const size_t config_field_count = sizeof config_fields / sizeof *config_fields;

static const char *const split_names[] = {"bar", "beat", "no"};

const struct config_field *config_field_find(const char *name)
{
    for (size_t i = 0; i < config_field_count; i++)
        if (strcmp(config_fields[i].name, name) == 0)
            return &config_fields[i];
    return NULL;
}

/* ---- reading ---- */

static int fail_field(const struct config_field *field, struct reason *why, const char *wanted)
{
    return fail(why, "%s: %s is needed", field->name, wanted);
}

static int whole(const cJSON *value, double least, double most, int32_t *number)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= least && value->valuedouble <= most) || value->valuedouble != floor(value->valuedouble))
        return -1;
    *number = (int32_t)value->valuedouble;
    return 0;
}

static int whole_list(const cJSON *value, double least, double most, int32_t *numbers, int count)
{
    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != count)
        return -1;
    const cJSON *item = value->child;
    for (int i = 0; i < count; i++, item = item->next)
        if (whole(item, least, most, &numbers[i]) < 0)
            return -1;
    return 0;
}

static int read_beats(const struct config_field *field, struct beat_resolution *beats, const cJSON *value, struct reason *why)
{
    static const char wanted[] = "an object like {\"0_4\": 8, \"4_12\": 4}: beats from_to, and steps per beat, all at most 1024";
    struct beat_resolution read = {0};
    if (!cJSON_IsObject(value) || !value->child)
        return fail_field(field, why, wanted);
    for (const cJSON *item = value->child; item; item = item->next) {
        int first, end, length = 0;
        int32_t resolution;
        if (sscanf(item->string, "%4d_%4d%n", &first, &end, &length) != 2 || item->string[length] != '\0' || first < 0 || end <= first || end > 1024 ||
            whole(item, 1, 1024, &resolution) < 0)
            return fail_field(field, why, wanted);
        size_t at = 0;
        while (at < read.count && (read.ranges[at].first != first || read.ranges[at].end != end))
            at++;
        if (at == CONFIG_MOST_BEAT_RANGES)
            return fail(why, "%s: more than %d ranges", field->name, CONFIG_MOST_BEAT_RANGES);
        read.ranges[at] = (struct beat_range){first, end, resolution};
        read.count += at == read.count;
    }
    *beats = read;
    return 0;
}

/* As MidiTok writes them: type and value with one underscore between them. */
static int format_special(const char *token, char formatted[CONFIG_NAME])
{
    const char *last = strrchr(token, '_');
    size_t length = strlen(token);
    if (length == 0 || length + (last ? 0 : strlen("_None")) >= CONFIG_NAME)
        return -1;
    snprintf(formatted, CONFIG_NAME, "%s%s", token, last ? "" : "_None");
    if (last)
        for (char *c = formatted; c < formatted + (last - token); c++)
            *c = *c == '_' ? '-' : *c;
    return 0;
}

static int read_specials(const struct config_field *field, struct tokenizer_config *config, const cJSON *value, struct reason *why)
{
    if (!cJSON_IsArray(value))
        return fail_field(field, why, "a list of texts");
    config->special_tokens.count = 0;
    for (const cJSON *item = value->child; item; item = item->next) {
        char name[CONFIG_NAME];
        if (!cJSON_IsString(item) || format_special(item->valuestring, name) < 0)
            return fail_field(field, why, "a list of texts of at most 58 bytes");
        int known = 0;
        for (size_t i = 0; i < config->special_tokens.count; i++)
            known |= strcmp(config->special_tokens.names[i], name) == 0;
        if (known)
            continue;
        if (config->special_tokens.count == CONFIG_MOST_SPECIALS)
            return fail(why, "%s: more than %d", field->name, CONFIG_MOST_SPECIALS);
        memcpy(config->special_tokens.names[config->special_tokens.count++], name, CONFIG_NAME);
    }
    return 0;
}

static int read_programs(const struct config_field *field, struct program_set *set, const cJSON *value, struct reason *why)
{
    struct program_set read = {0};
    if (!cJSON_IsArray(value))
        return fail_field(field, why, "a list of programs from -1 (drums) to 127");
    for (const cJSON *item = value->child; item; item = item->next) {
        int32_t program;
        if (whole(item, -1, 127, &program) < 0)
            return fail_field(field, why, "a list of programs from -1 (drums) to 127");
        if (!read.has[program + 1])
            read.programs[read.count++] = (int8_t)program;
        read.has[program + 1] = 1;
    }
    *set = read;
    return 0;
}

static int read_controls(const struct config_field *field, uint8_t numbers[128], const cJSON *value, struct reason *why)
{
    if (!cJSON_IsArray(value))
        return fail_field(field, why, "a list of control numbers from 0 to 127");
    memset(numbers, 0, 128);
    for (const cJSON *item = value->child; item; item = item->next) {
        int32_t number;
        if (whole(item, 0, 127, &number) < 0)
            return fail_field(field, why, "a list of control numbers from 0 to 127");
        numbers[number] = 1;
    }
    return 0;
}

static int read_chord_maps(const struct config_field *field, struct tokenizer_config *config, const cJSON *value, struct reason *why)
{
    if (!cJSON_IsObject(value))
        return fail_field(field, why, "an object like {\"min\": [0, 3, 7]}");
    config->chord_maps.count = 0;
    for (const cJSON *item = value->child; item; item = item->next) {
        size_t at = 0;
        while (at < config->chord_maps.count && strcmp(config->chord_maps.maps[at].name, item->string) != 0)
            at++;
        int count = cJSON_GetArraySize(item);
        if (at == CONFIG_MOST_CHORDS || strlen(item->string) >= CONFIG_NAME || count > CONFIG_MOST_CHORD_NOTES)
            return fail(why, "%s: more than %d chords, or %d notes in one, or a name of more than %d bytes", field->name, CONFIG_MOST_CHORDS,
                        CONFIG_MOST_CHORD_NOTES, CONFIG_NAME - 1);
        struct chord_map *map = &config->chord_maps.maps[at];
        *map = (struct chord_map){.count = (size_t)count};
        memcpy(map->name, item->string, strlen(item->string));
        if (whole_list(item, -127, 127, map->intervals, count) < 0)
            return fail_field(field, why, "an object of lists of intervals from -127 to 127");
        config->chord_maps.count += at == config->chord_maps.count;
    }
    return 0;
}

static int read_time_signatures(const struct config_field *field, struct tokenizer_config *config, const cJSON *value, struct reason *why)
{
    static const char wanted[] = "an object like {\"8\": [3, 12, 6], \"4\": [3, 4]}: denominators, powers of two up to 128, and numerators from 1 to 255";
    struct { size_t count; struct config_time_signature list[CONFIG_MOST_TIME_SIGNATURES]; } read = {0};
    if (!cJSON_IsObject(value) || !value->child)
        return fail_field(field, why, wanted);
    for (const cJSON *item = value->child; item; item = item->next) {
        int denominator, length = 0;
        if (sscanf(item->string, "%3d%n", &denominator, &length) != 1 || item->string[length] != '\0' || denominator < 1 || denominator > 128 ||
            (denominator & (denominator - 1)) || !cJSON_IsArray(item))
            return fail_field(field, why, wanted);
        for (const cJSON *numerator = item->child; numerator; numerator = numerator->next) {
            int32_t number;
            if (whole(numerator, 1, 255, &number) < 0)
                return fail_field(field, why, wanted);
            if (read.count == CONFIG_MOST_TIME_SIGNATURES)
                return fail(why, "%s: more than %d", field->name, CONFIG_MOST_TIME_SIGNATURES);
            read.list[read.count++] = (struct config_time_signature){(uint8_t)number, (uint8_t)denominator};
        }
    }
    memcpy(&config->time_signature_range, &read, sizeof read);
    return 0;
}

static int read_tempo_range(const struct config_field *field, struct tokenizer_config *config, const cJSON *value, struct reason *why)
{
    const cJSON *first = cJSON_GetArrayItem(value, 0), *last = cJSON_GetArrayItem(value, 1);
    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2 || !cJSON_IsNumber(first) || !cJSON_IsNumber(last) || !(first->valuedouble >= field->least) ||
        !(first->valuedouble <= last->valuedouble) || !(last->valuedouble <= field->most))
        return fail_field(field, why, "a list of two ascending tempos, at least 1 quarter note a minute,");
    config->tempo_range.first = first->valuedouble;
    config->tempo_range.last = last->valuedouble;
    return 0;
}

static int read_name(const struct config_field *field, const cJSON *value, const char *const *names, int count, int *index, struct reason *why)
{
    for (int i = 0; i < count; i++)
        if (cJSON_IsString(value) && strcmp(value->valuestring, names[i]) == 0) {
            *index = i;
            return 0;
        }
    return fail(why, "%s: one of %s, %s, %s is needed", field->name, names[0], names[1], names[2]);
}

int config_field_read(struct tokenizer_config *config, const struct config_field *field, const cJSON *value, struct reason *why)
{
    void *at = (char *)config + field->offset;
    int32_t numbers[3];
    int index;
    switch (field->kind) {
    case FIELD_FLAG:
        if (!cJSON_IsBool(value))
            return fail_field(field, why, "true or false");
        *(uint8_t *)at = (uint8_t)cJSON_IsTrue(value);
        return 0;
    case FIELD_WHOLE_OR_NULL:
        if (cJSON_IsNull(value)) {
            *(int32_t *)at = -1;
            return 0;
        }
        /* fall through */
    case FIELD_WHOLE:
        if (whole(value, field->least, field->most, at) < 0)
            return fail(why, "%s: a whole number from %g to %g is needed", field->name, field->least, field->most);
        return 0;
    case FIELD_NUMBER:
        if (!cJSON_IsNumber(value) || !(value->valuedouble >= field->least && value->valuedouble <= field->most))
            return fail(why, "%s: a number from %g to %g is needed", field->name, field->least, field->most);
        *(double *)at = value->valuedouble;
        return 0;
    case FIELD_PITCHES:
        if (whole_list(value, 0, 127, numbers, 2) < 0 || numbers[0] >= numbers[1])
            return fail_field(field, why, "a list of two pitches from 0 to 127, the lower one first,");
        *(struct config_span *)at = (struct config_span){numbers[0], numbers[1]};
        return 0;
    case FIELD_BEND_RANGE:
        if (whole_list(value, -8192, 8191, numbers, 3) < 0 || numbers[0] > numbers[1] || numbers[2] < 1)
            return fail_field(field, why, "a list of lowest and highest value from -8192 to 8191 and their number");
        config->pitch_bend_range.first = numbers[0];
        config->pitch_bend_range.last = numbers[1];
        config->pitch_bend_range.count = numbers[2];
        return 0;
    case FIELD_CHORD_UNKNOWN:
        config->chord_unknown.given = !cJSON_IsNull(value);
        if (config->chord_unknown.given && whole_list(value, 0, 128, numbers, 2) < 0)
            return fail_field(field, why, "null or a list of two numbers of notes");
        if (config->chord_unknown.given) {
            config->chord_unknown.first = numbers[0];
            config->chord_unknown.end = numbers[1];
        }
        return 0;
    case FIELD_TRIPLE:
        config->max_duration.given = !cJSON_IsNull(value);
        if (config->max_duration.given && (whole_list(value, 0, 1024, numbers, 3) < 0 || numbers[2] == 0))
            return fail_field(field, why, "null or a list of beats, steps and steps per beat");
        if (config->max_duration.given) {
            config->max_duration.beats = numbers[0];
            config->max_duration.steps = numbers[1];
            config->max_duration.resolution = numbers[2];
        }
        return 0;
    case FIELD_SPLIT:
        if (read_name(field, value, split_names, 3, &index, why) < 0)
            return -1;
        config->encode_ids_split = (enum ids_split)index;
        return 0;
    case FIELD_BASE:
        if (read_name(field, value, tokenization_names, 3, &index, why) < 0) /* the first three of them */
            return -1;
        config->base_tokenizer = (enum tokenization)index;
        return 0;
    case FIELD_BEATS: return read_beats(field, at, value, why);
    case FIELD_SPECIALS: return read_specials(field, config, value, why);
    case FIELD_PROGRAMS: return read_programs(field, at, value, why);
    case FIELD_CONTROLS: return read_controls(field, at, value, why);
    case FIELD_CHORD_MAPS: return read_chord_maps(field, config, value, why);
    case FIELD_TEMPO_RANGE: return read_tempo_range(field, config, value, why);
    case FIELD_TIME_SIGNATURES: return read_time_signatures(field, config, value, why);
    }
    return fail(why, "%s: unknown kind", field->name);
}

/* ---- writing ---- */

static void write_beats(const struct beat_resolution *beats, struct text_buffer *out)
{
    for (size_t i = 0; i < beats->count; i++)
        text_printf(out, "%s\"%d_%d\": %d", i > 0 ? ", " : "{", beats->ranges[i].first, beats->ranges[i].end, beats->ranges[i].resolution);
    text_add_string(out, "}");
}

static void write_text(struct text_buffer *out, const char *separator, const char *text)
{
    text_add_string(out, separator);
    text_add_json_string(out, text, strlen(text));
}

static void write_chord_maps(const struct tokenizer_config *config, struct text_buffer *out)
{
    text_add_string(out, "{");
    for (size_t i = 0; i < config->chord_maps.count; i++) {
        const struct chord_map *map = &config->chord_maps.maps[i];
        write_text(out, i > 0 ? ", " : "", map->name);
        text_add_string(out, ": [");
        for (size_t k = 0; k < map->count; k++)
            text_printf(out, "%s%d", k > 0 ? ", " : "", map->intervals[k]);
        text_add_string(out, "]");
    }
    text_add_string(out, "}");
}

static void write_time_signatures(const struct tokenizer_config *config, struct text_buffer *out)
{
    text_add_string(out, "{");
    for (size_t i = 0; i < config->time_signature_range.count; i++) {
        struct config_time_signature signature = config->time_signature_range.list[i];
        if (i > 0 && config->time_signature_range.list[i - 1].denominator == signature.denominator)
            text_printf(out, ", %d", signature.numerator);
        else
            text_printf(out, "%s\"%d\": [%d", i > 0 ? "], " : "", signature.denominator, signature.numerator);
    }
    text_add_string(out, "]}");
}

void config_field_write(const struct tokenizer_config *config, const struct config_field *field, struct text_buffer *out)
{
    const void *at = (const char *)config + field->offset;
    const struct config_span *span = at;
    const struct program_set *programs = at;
    const char *separator = "[";
    switch (field->kind) {
    case FIELD_FLAG: text_add_string(out, *(const uint8_t *)at ? "true" : "false"); return;
    case FIELD_WHOLE: text_add_integer(out, *(const int32_t *)at); return;
    case FIELD_WHOLE_OR_NULL:
        if (*(const int32_t *)at < 0)
            text_add_string(out, "null");
        else
            text_add_integer(out, *(const int32_t *)at);
        return;
    case FIELD_NUMBER: text_add_double(out, *(const double *)at); return;
    case FIELD_PITCHES: text_printf(out, "[%d, %d]", span->first, span->last); return;
    case FIELD_BEND_RANGE:
        text_printf(out, "[%d, %d, %d]", config->pitch_bend_range.first, config->pitch_bend_range.last, config->pitch_bend_range.count);
        return;
    case FIELD_CHORD_UNKNOWN:
        if (config->chord_unknown.given)
            text_printf(out, "[%d, %d]", config->chord_unknown.first, config->chord_unknown.end);
        else
            text_add_string(out, "null");
        return;
    case FIELD_TRIPLE:
        if (config->max_duration.given)
            text_printf(out, "[%d, %d, %d]", config->max_duration.beats, config->max_duration.steps, config->max_duration.resolution);
        else
            text_add_string(out, "null");
        return;
    case FIELD_TEMPO_RANGE:
        text_add_string(out, "[");
        text_add_double(out, config->tempo_range.first);
        text_add_string(out, ", ");
        text_add_double(out, config->tempo_range.last);
        text_add_string(out, "]");
        return;
    case FIELD_SPLIT: write_text(out, "", split_names[config->encode_ids_split]); return;
    case FIELD_BASE: write_text(out, "", tokenization_names[config->base_tokenizer]); return;
    case FIELD_BEATS: write_beats(at, out); return;
    case FIELD_CHORD_MAPS: write_chord_maps(config, out); return;
    case FIELD_TIME_SIGNATURES: write_time_signatures(config, out); return;
    case FIELD_SPECIALS:
        for (size_t i = 0; i < config->special_tokens.count; i++, separator = ", ")
            write_text(out, separator, config->special_tokens.names[i]);
        break;
    case FIELD_PROGRAMS:
        for (size_t i = 0; i < programs->count; i++, separator = ", ")
            text_printf(out, "%s%d", separator, programs->programs[i]);
        break;
    case FIELD_CONTROLS:
        for (int number = 0; number < 128; number++)
            if (((const uint8_t *)at)[number]) {
                text_printf(out, "%s%d", separator, number);
                separator = ", ";
            }
        break;
    }
    text_add_string(out, *separator == '[' ? "[]" : "]");
}
