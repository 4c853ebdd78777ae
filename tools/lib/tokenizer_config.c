#include "tokenizer_config.h"

#include <math.h>
#include <string.h>

#include "config_field.h"
#include "utf8.h"

const char *const tokenization_names[TOKENIZATIONS] = {"REMI", "TSD", "MIDILike", "Structured", "CPWord", "Octuple", "MuMIDI", "MMM", "PerTok", "AMT"};

/* TokenizerConfig's defaults, in the form of its own files. */
static const char defaults[] =
    "{\"pitch_range\": [21, 109], \"beat_res\": {\"0_4\": 8, \"4_12\": 4}, \"num_velocities\": 32, \"remove_duplicated_notes\": false, "
    "\"encode_ids_split\": \"bar\", \"special_tokens\": [\"PAD\", \"BOS\", \"EOS\", \"MASK\"], \"use_velocities\": true, \"use_chords\": false, "
    "\"use_rests\": false, \"use_tempos\": false, \"use_time_signatures\": true, \"use_key_signatures\": false, \"use_sustain_pedals\": false, "
    "\"use_pitch_bends\": false, \"use_control_changes\": false, \"control_change_numbers\": [0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 32, 33, 34, 36, 37, 38, "
    "39, 40, 42, 43, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 84, 88, 91, 92, 93, 94, 95, 96, 97, 100, 101, 120, 121, 122, 123, 124, "
    "125, 126, 127], \"control_change_n_bins\": 32, \"use_programs\": false, \"use_pitch_intervals\": false, \"use_pitchdrum_tokens\": true, "
    "\"default_note_duration\": 0.5, \"one_token_stream_for_programs\": true, \"program_changes\": false, "
    "\"beat_res_rest\": {\"0_1\": 8, \"1_2\": 4, \"2_12\": 2}, \"chord_maps\": {\"min\": [0, 3, 7], \"maj\": [0, 4, 7], \"dim\": [0, 3, 6], "
    "\"aug\": [0, 4, 8], \"sus2\": [0, 2, 7], \"sus4\": [0, 5, 7], \"7dom\": [0, 4, 7, 10], \"7min\": [0, 3, 7, 10], \"7maj\": [0, 4, 7, 11], "
    "\"7halfdim\": [0, 3, 6, 10], \"7dim\": [0, 3, 6, 9], \"7aug\": [0, 4, 8, 11], \"9maj\": [0, 4, 7, 10, 14], \"9min\": [0, 4, 7, 10, 13]}, "
    "\"chord_tokens_with_root_note\": false, \"chord_unknown\": null, \"num_tempos\": 32, \"tempo_range\": [40, 250], \"log_tempos\": false, "
    "\"delete_equal_successive_tempo_changes\": false, \"time_signature_range\": {\"8\": [3, 12, 6], \"4\": [5, 6, 3, 2, 1, 4]}, "
    "\"delete_equal_successive_time_sig_changes\": false, \"sustain_pedal_duration\": false, \"pitch_bend_range\": [-8192, 8191, 32], "
    "\"max_pitch_interval\": 16, \"pitch_intervals_max_time_dist\": 1, \"drums_pitch_range\": [27, 88], \"ac_polyphony_track\": false, "
    "\"ac_polyphony_bar\": false, \"ac_polyphony_min\": 1, \"ac_polyphony_max\": 6, \"ac_pitch_class_bar\": false, \"ac_note_density_track\": false, "
    "\"ac_note_density_track_min\": 0, \"ac_note_density_track_max\": 18, \"ac_note_density_bar\": false, \"ac_note_density_bar_max\": 18, "
    "\"ac_note_duration_bar\": false, \"ac_note_duration_track\": false, \"ac_repetition_track\": false, \"ac_repetition_track_num_bins\": 10, "
    "\"ac_repetition_track_num_consec_bars\": 4}";

int config_has_program(const struct program_set *set, int program)
{
    return program >= -1 && program <= 127 && set->has[program + 1];
}

int config_note_on_off(const struct tokenizer_config *config)
{
    return config->tokenization == MIDI_LIKE || (config->tokenization == MMM && config->base_tokenizer == MIDI_LIKE);
}

int config_one_stream(const struct tokenizer_config *config)
{
    return config->one_token_stream_for_programs;
}

int config_one_sequence(const struct tokenizer_config *config)
{
    return config->one_token_stream_for_programs || config->tokenization == MMM || config->tokenization == AMT;
}

static int32_t finest(const struct beat_resolution *beats)
{
    int32_t most = 0;
    for (size_t i = 0; i < beats->count; i++)
        most = beats->ranges[i].resolution > most ? beats->ranges[i].resolution : most;
    return most;
}

int32_t config_positions_per_beat(const struct tokenizer_config *config)
{
    return finest(&config->beat_res);
}

/* ---- reading ---- */

static int find_tokenization(const char *name, enum tokenization *found, struct reason *why)
{
    for (int i = 0; i < TOKENIZATIONS; i++)
        if (strcmp(name, tokenization_names[i]) == 0) {
            *found = (enum tokenization)i;
            return 0;
        }
    return fail(why, "%.40s: unknown; accepted: REMI REMIPlus TSD MIDILike Structured CPWord Octuple MuMIDI MMM PerTok AMT", name);
}

static int all_programs(struct program_set *set)
{
    *set = (struct program_set){.count = 129};
    for (int program = -1; program < 128; program++) {
        set->programs[program + 1] = (int8_t)program;
        set->has[program + 1] = 1;
    }
    return 0;
}

static int read_fields(struct tokenizer_config *config, const cJSON *fields, int additional, struct reason *why)
{
    if (!cJSON_IsObject(fields))
        return fail(why, "%s: an object is needed", additional ? "additional_params" : "config");
    for (const cJSON *item = fields->child; item; item = item->next) {
        const char *name = item->string;
        if (!additional && strcmp(name, "additional_params") == 0) {
            if (read_fields(config, item, 1, why) < 0)
                return -1;
            continue;
        }
        if (strcmp(name, "miditok_version") == 0 || strcmp(name, "symusic_version") == 0 || strcmp(name, "hf_tokenizers_version") == 0)
            continue;
        name = strcmp(name, "nb_velocities") == 0 ? "num_velocities" : strcmp(name, "nb_tempos") == 0 ? "num_tempos" : name; /* before version 3 */
        const struct config_field *field = config_field_find(name);
        if (!field && additional)
            continue;
        if (!field)
            return fail(why, "%.60s: no field of a TokenizerConfig", name);
        if (config_field_read(config, field, item, why) < 0)
            return -1;
    }
    return 0;
}

static int set_defaults(struct tokenizer_config *config, enum tokenization tokenization, struct reason *why)
{
    memset(config, 0, sizeof *config);
    config->tokenization = tokenization;
    config->max_bar_embedding = tokenization == OCTUPLE || tokenization == MU_MIDI ? 60 : -1;
    config->ticks_per_quarter = 320;
    config->use_microtiming = 1;
    config->max_microtiming_shift = 0.125;
    config->num_microtiming_bins = 30;
    config->base_tokenizer = TSD;
    all_programs(&config->use_note_duration_programs);
    all_programs(&config->programs);
    cJSON *fields = cJSON_Parse(defaults);
    int result = fields ? read_fields(config, fields, 0, why) : fail(why, "out of memory");
    cJSON_Delete(fields);
    return result;
}

int tokenizer_config_default(struct tokenizer_config *config, const char *name, int programs, struct reason *why)
{
    enum tokenization tokenization = REMI;
    int plus = strcmp(name, "REMIPlus") == 0;
    if ((!plus && find_tokenization(name, &tokenization, why) < 0) || set_defaults(config, tokenization, why) < 0)
        return -1;
    config->use_programs = (uint8_t)(programs || plus);
    config->use_tempos = (uint8_t)plus;
    return 0;
}

int tokenizer_config_read(struct tokenizer_config *config, const char *text, size_t count, const char *name, struct reason *why)
{
    size_t fault = utf8_first_fault(text, count);
    if (fault < count)
        return fail(why, "byte %zu: not UTF-8", fault);
    cJSON *file = cJSON_ParseWithLength(text, count);
    if (!cJSON_IsObject(file)) {
        cJSON_Delete(file);
        return fail(why, "no JSON object");
    }
    const cJSON *fields = cJSON_GetObjectItemCaseSensitive(file, "config"), *stated = cJSON_GetObjectItemCaseSensitive(file, "tokenization");
    enum tokenization tokenization = REMI;
    int result = 0;
    if (fields && !cJSON_IsString(stated))
        result = fail(why, "a \"tokenization\" is needed beside \"config\"");
    else if (!fields && !name)
        result = fail(why, "it names no \"tokenization\": that has to be given as well");
    else
        result = find_tokenization(fields ? stated->valuestring : name, &tokenization, why);
    if (result == 0)
        result = set_defaults(config, tokenization, why);
    if (result == 0)
        result = read_fields(config, fields ? fields : file, 0, why);
    cJSON_Delete(file);
    return result;
}

int tokenizer_config_set(struct tokenizer_config *config, const char *assignment, struct reason *why)
{
    char name[CONFIG_NAME];
    const char *equals = strchr(assignment, '=');
    if (!equals || (size_t)(equals - assignment) >= sizeof name)
        return fail(why, "%.60s: field=value is needed", assignment);
    memcpy(name, assignment, (size_t)(equals - assignment));
    name[equals - assignment] = '\0';
    const struct config_field *field = config_field_find(name);
    if (!field)
        return fail(why, "%s: no field of a TokenizerConfig", name);
    cJSON *value = cJSON_ParseWithOpts(equals + 1, NULL, 1);
    if (!value)
        value = cJSON_CreateString(equals + 1);
    int result = value ? config_field_read(config, field, value, why) : fail(why, "out of memory");
    cJSON_Delete(value);
    return result;
}

/* ---- settling ---- */

/* The times that the vocabulary names must ascend; PerTok alone looks through them all. */
static int check_ascending(const char *name, const struct beat_resolution *beats, struct reason *why)
{
    for (size_t i = 1; i < beats->count; i++)
        if (beats->ranges[i].first < beats->ranges[i - 1].end)
            return fail(why, "%s: the ranges must ascend and not overlap", name);
    return 0;
}

static int has_denominator(const struct tokenizer_config *config, int denominator)
{
    for (size_t i = 0; i < config->time_signature_range.count; i++)
        if (config->time_signature_range.list[i].denominator == denominator)
            return 1;
    return 0;
}

static void disable_attribute_controls(struct tokenizer_config *config)
{
    config->ac_polyphony_track = config->ac_polyphony_bar = config->ac_pitch_class_bar = config->ac_note_density_track = config->ac_note_density_bar =
        config->ac_note_duration_bar = config->ac_note_duration_track = config->ac_repetition_track = 0;
}

/* What TokenizerConfig itself does when it is made. */
static int settle_fields(struct tokenizer_config *config, struct reason *why)
{
    config->one_token_stream_for_programs &= config->use_programs;
    config->program_changes &= config->use_programs;
    if (config->use_rests && config->use_note_duration_programs.count < 129) {
        int lacking = !config->use_programs;
        for (size_t i = 0; i < config->programs.count; i++)
            lacking |= !config_has_program(&config->use_note_duration_programs, config->programs.programs[i]);
        config->use_rests &= (uint8_t)!lacking;
    }
    if (config->use_rests && finest(&config->beat_res_rest) > finest(&config->beat_res))
        return fail(why, "beat_res_rest: a finer resolution than that of beat_res");
    config->sustain_pedal_duration &= config->use_sustain_pedals;
    int padded = 0;
    for (size_t i = 0; i < config->special_tokens.count; i++)
        padded |= strcmp(config->special_tokens.names[i], "PAD_None") == 0;
    if (!padded) {
        if (config->special_tokens.count == CONFIG_MOST_SPECIALS)
            return fail(why, "special_tokens: more than %d", CONFIG_MOST_SPECIALS);
        memcpy(config->special_tokens.names[config->special_tokens.count++], "PAD_None", sizeof "PAD_None");
    }
    return 0;
}

static int add_special(struct tokenizer_config *config, const char *name, struct reason *why)
{
    for (size_t i = 0; i < config->special_tokens.count; i++)
        if (strcmp(config->special_tokens.names[i], name) == 0)
            return 0;
    if (config->special_tokens.count == CONFIG_MOST_SPECIALS)
        return fail(why, "special_tokens: more than %d", CONFIG_MOST_SPECIALS);
    strcpy(config->special_tokens.names[config->special_tokens.count++], name);
    return 0;
}

/* Durations for all programs or for none. */
static void level_durations(struct tokenizer_config *config)
{
    int lacking = 0;
    for (size_t i = 0; i < config->programs.count; i++)
        lacking |= !config_has_program(&config->use_note_duration_programs, config->programs.programs[i]);
    if (config->use_note_duration_programs.count > 0 && lacking)
        config->use_note_duration_programs = config->programs;
}

/* What a tokenization does not have, and what it always has. */
static int settle_tokenization(struct tokenizer_config *config, struct reason *why)
{
    enum tokenization kind = config->tokenization;
    if (kind == STRUCTURED || kind == CP_WORD || kind == OCTUPLE || kind == MU_MIDI) {
        config->use_sustain_pedals = config->use_pitch_bends = config->use_control_changes = config->use_key_signatures = 0;
        config->program_changes = 0;
        config->use_pitch_intervals = kind == MU_MIDI;
        disable_attribute_controls(config);
    }
    if (kind == STRUCTURED)
        config->use_chords = config->use_rests = config->use_tempos = config->use_time_signatures = 0;
    if (kind == OCTUPLE) {
        config->use_chords = config->use_rests = 0;
        config->delete_equal_successive_tempo_changes = 1;
    }
    if (kind == MU_MIDI) {
        config->use_rests = config->use_time_signatures = 0;
        config->use_programs = config->one_token_stream_for_programs = 1;
    }
    if (kind == CP_WORD || kind == OCTUPLE || kind == MU_MIDI)
        level_durations(config);
    if ((kind == OCTUPLE || kind == MU_MIDI) && config->max_bar_embedding < 0)
        return fail(why, "max_bar_embedding: %s needs a number of bars", tokenization_names[kind]);
    if (kind == MMM) {
        config->use_control_changes = 0;
        config->use_programs = config->program_changes = 1;
        config->one_token_stream_for_programs = 0;
        if (add_special(config, "Track_Start", why) < 0 || add_special(config, "Track_End", why) < 0)
            return -1;
    }
    return 0;
}

int tokenizer_config_settle(struct tokenizer_config *config, struct reason *why)
{
    if (settle_fields(config, why) < 0 || settle_tokenization(config, why) < 0)
        return -1;
    if (config->use_control_changes && config->control_change_numbers[64])
        config->use_sustain_pedals = config->sustain_pedal_duration = 0;
    if (config->one_token_stream_for_programs)
        disable_attribute_controls(config);
    if (config->tokenization != PER_TOK && check_ascending("beat_res", &config->beat_res, why) < 0)
        return -1;
    if (config->use_rests && check_ascending("beat_res_rest", &config->beat_res_rest, why) < 0)
        return -1;
    if (config->time_signature_range.count == 0 || !has_denominator(config, 4))
        return fail(why, "time_signature_range: the denominator 4 is needed");
    return 0;
}

/* ---- writing ---- */

static void write_field(const struct tokenizer_config *config, const struct config_field *field, const char *separator, struct text_buffer *out)
{
    text_printf(out, "%s\n        \"%s\": ", separator, field->name);
    config_field_write(config, field, out);
}

void tokenizer_config_write_fields(const struct tokenizer_config *config, struct text_buffer *out)
{
    const char *separator = "{";
    for (size_t i = 0; i < config_field_count; i++)
        if (!config_fields[i].additional) {
            write_field(config, &config_fields[i], separator, out);
            separator = ",";
        }
    text_add_string(out, ",\n        \"additional_params\": ");
    separator = "{";
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];
        if (!(field->additional & 1u << config->tokenization) || (field->kind == FIELD_TRIPLE && !config->max_duration.given))
            continue;
        write_field(config, field, separator, out);
        separator = ",";
    }
    text_add_string(out, *separator == '{' ? "{}\n    }" : "}\n    }");
}

void tokenizer_config_write(const struct tokenizer_config *config, struct text_buffer *out)
{
    text_add_string(out, "{\n    \"config\": ");
    tokenizer_config_write_fields(config, out);
    text_printf(out,
                ",\n    \"tokenization\": \"%s\",\n    \"miditok_version\": \"3.1.0\",\n    \"symusic_version\": \"0.6.0\",\n"
                "    \"hf_tokenizers_version\": \"0.23.3\"\n}\n",
                tokenization_names[config->tokenization]);
}
