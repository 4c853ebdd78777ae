#include "tokenizers.h"

#include "target.h"

static const char *const names[] = {"REMI", "REMIPlus", "TSD", "MIDILike", "Structured", "CPWord", "Octuple", "MuMIDI", "MMM", "PerTok"};

/* One of each line is set, or none. What a tokenization refuses is left out. */
static const char *const fields[][4] = {
    {"use_programs=true", "use_programs=false", "one_token_stream_for_programs=false"},
    {"use_chords=true"},
    {"use_rests=true"},
    {"use_tempos=true"},
    {"use_time_signatures=false"},
    {"use_sustain_pedals=true"},
    {"sustain_pedal_duration=true"},
    {"use_pitch_bends=true"},
    {"use_pitch_intervals=true"},
    {"use_pitchdrum_tokens=false"},
    {"use_velocities=false"},
    {"program_changes=true"},
    {"remove_duplicated_notes=true"},
    {"chord_tokens_with_root_note=true"},
    {"chord_unknown=[3,6]"},
    {"delete_equal_successive_tempo_changes=true", "log_tempos=true"},
    {"delete_equal_successive_time_sig_changes=true"},
    {"encode_ids_split=\"no\"", "encode_ids_split=\"beat\""},
    {"num_velocities=1", "num_velocities=127", "num_velocities=5"},
    {"num_tempos=1", "num_tempos=100"},
    {"pitch_range=[0,128]", "pitch_range=[60,61]"},
    {"drums_pitch_range=[0,128]"},
    {"beat_res={\"0_1\":12,\"1_2\":4,\"2_4\":2,\"4_8\":1}", "beat_res={\"0_64\":1}", "beat_res={\"0_4\":24}"},
    {"beat_res_rest={\"0_2\":4,\"2_12\":2}"},
    {"max_bar_embedding=60", "max_bar_embedding=1"},
    {"use_bar_end_tokens=true"},
    {"add_trailing_bars=true"},
    {"use_position_toks=false", "use_microtiming=false"},
    {"base_tokenizer=\"REMI\"", "base_tokenizer=\"MIDILike\""},
    {"use_note_duration_programs=[0,5,-1]", "use_note_duration_programs=[]"},
    {"programs=[0,1,2,3,-1]"},
    {"time_signature_range={\"4\":[4]}", "time_signature_range={\"16\":[1,5,7],\"2\":[2]}"},
};

static void set_at_random(struct tokenizer_config *config, uint32_t state)
{
    struct reason why;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        state = state * 1664525 + 1013904223;
        const char *field = state >> 29 < 3 ? fields[i][state >> 26 & 3] : NULL;
        if (!field)
            continue;
        struct tokenizer_config before = *config, settled;
        settled = before;
        if (tokenizer_config_set(config, field, &why) == 0) {
            settled = *config;
            if (tokenizer_config_settle(&settled, &why) == 0)
                continue;
        }
        *config = before;
    }
}

const struct tokenizer *fuzz_tokenizer(uint8_t number)
{
    static struct tokenizer *made[256];
    struct reason why;
    if (made[number])
        return made[number];
    struct tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    size_t kinds = sizeof names / sizeof *names;
    REQUIRE(tokenizer);
    REQUIRE(tokenizer_config_default(&tokenizer->config, names[number % kinds], number / kinds % 2 == 0, &why) == 0);
    if (number >= 2 * kinds)
        set_at_random(&tokenizer->config, number);
    REQUIRE(tokenizer_make(tokenizer, &why) == 0);
    return made[number] = tokenizer;
}
