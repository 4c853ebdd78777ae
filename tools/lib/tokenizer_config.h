/* What decides how music becomes tokens: a tokenization's name and MidiTok's TokenizerConfig for it.
 *
 * A configuration is made in steps: a tokenization's defaults or a tokenizer.json written by MidiTok, then single fields, then
 * tokenizer_config_settle, which checks it as a whole and makes the changes that MidiTok makes itself when a tokenizer is created (Structured has no
 * tempos, MuMIDI always has programs, …). Only a settled configuration is used, written and hashed; settling twice changes nothing.
 *
 * Fields have MidiTok's names, meanings and defaults (https://miditok.readthedocs.io, TokenizerConfig); those of `additional_params` stand beside the others.
 * tokenizer_config_fields.c has the table of them. What is read, from files that may hold anything:
 *   - a field of an unknown name is an error, and the nearest names are not guessed; in `additional_params`, where MidiTok keeps what a user likes to note,
 *     an unknown name is ignored, and so are names beside `config` (MidiTok's save() takes notes there too);
 *   - a value of another type than the field's, or out of its range, is an error that names both. Ranges are MidiTok's checks, and where it has none, what its
 *     formulas are good for (beat_res of ascending ranges, programs from -1 to 127, denominators that are powers of two);
 *   - a field that is missing has its default, so files of MidiTok 3.0 are read too;
 *   - `_model`, `_vocab_base` and `_vocab_base_byte_to_token` of a trained tokenizer are no part of the configuration. */
#ifndef REPRISE_TOKENIZER_CONFIG_H
#define REPRISE_TOKENIZER_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "text_buffer.h"

enum tokenization { REMI, TSD, MIDI_LIKE, STRUCTURED, CP_WORD, OCTUPLE, MU_MIDI, MMM, PER_TOK, AMT, TOKENIZATIONS };
extern const char *const tokenization_names[TOKENIZATIONS]; /* as MidiTok's classes are called */

#define CONFIG_MOST_BEAT_RANGES 64
#define CONFIG_MOST_SPECIALS 1024
#define CONFIG_MOST_CHORDS 256
#define CONFIG_MOST_CHORD_NOTES 16
#define CONFIG_MOST_TIME_SIGNATURES 1024
#define CONFIG_NAME 64 /* bytes of a special token's or a chord's name, with its end */

/* The beats from `first` up to `end`, with `resolution` steps each. In the order in which they are given. */
struct beat_range { int32_t first, end, resolution; };
struct beat_resolution { size_t count; struct beat_range ranges[CONFIG_MOST_BEAT_RANGES]; };

/* A set of programs, -1 for drums. Python's order of a set is part of MidiTok's vocabulary: vocabulary.h. */
struct program_set { size_t count; int8_t programs[129]; uint8_t has[129]; /* has[program + 1] */ };

struct chord_map { char name[CONFIG_NAME]; size_t count; int32_t intervals[CONFIG_MOST_CHORD_NOTES]; };
struct config_time_signature { uint8_t numerator, denominator; };
struct config_span { int32_t first, last; };
enum ids_split { SPLIT_BAR, SPLIT_BEAT, SPLIT_NO };

struct tokenizer_config {
    enum tokenization tokenization;

    struct config_span pitch_range, drums_pitch_range; /* both ends belong to it */
    struct beat_resolution beat_res, beat_res_rest;
    int32_t num_velocities;
    struct { size_t count; char names[CONFIG_MOST_SPECIALS][CONFIG_NAME]; } special_tokens; /* "PAD_None", … */
    enum ids_split encode_ids_split;
    uint8_t remove_duplicated_notes;
    uint8_t use_velocities, use_chords, use_rests, use_tempos, use_time_signatures, use_key_signatures, use_sustain_pedals, use_pitch_bends,
        use_control_changes, use_programs, use_pitch_intervals, use_pitchdrum_tokens;
    struct program_set use_note_duration_programs, programs;
    uint8_t control_change_numbers[128]; /* 1: this one is used */
    int32_t control_change_n_bins;
    double default_note_duration; /* beats; for decoding */
    uint8_t one_token_stream_for_programs, program_changes;
    struct { size_t count; struct chord_map maps[CONFIG_MOST_CHORDS]; } chord_maps;
    uint8_t chord_tokens_with_root_note;
    struct { uint8_t given; int32_t first, end; } chord_unknown; /* numbers of notes, `end` not among them */
    int32_t num_tempos;
    struct { double first, last; } tempo_range; /* quarter notes a minute */
    uint8_t log_tempos, delete_equal_successive_tempo_changes, delete_equal_successive_time_sig_changes;
    struct { size_t count; struct config_time_signature list[CONFIG_MOST_TIME_SIGNATURES]; } time_signature_range; /* in the order of the vocabulary */
    uint8_t sustain_pedal_duration;
    struct { int32_t first, last, count; } pitch_bend_range;
    int32_t max_pitch_interval;
    double pitch_intervals_max_time_dist; /* beats */

    /* Attribute controls: tokens in the vocabulary. MidiTok places them in a sequence only where the caller names tracks and bars, so a file
     * that is tokenized as a whole, as here and by its encode(), has none. */
    uint8_t ac_polyphony_track, ac_polyphony_bar, ac_pitch_class_bar, ac_note_density_track, ac_note_density_bar, ac_note_duration_bar,
        ac_note_duration_track, ac_repetition_track;
    int32_t ac_polyphony_min, ac_polyphony_max, ac_note_density_track_min, ac_note_density_track_max, ac_note_density_bar_max,
        ac_repetition_track_num_bins, ac_repetition_track_num_consec_bars;

    /* additional_params */
    int32_t max_bar_embedding;                                /* REMI, Octuple, MuMIDI; -1: none, a single Bar token */
    uint8_t use_bar_end_tokens, add_trailing_bars;            /* REMI */
    int32_t ticks_per_quarter, num_microtiming_bins;          /* PerTok */
    uint8_t use_microtiming, use_position_toks;
    double max_microtiming_shift;                             /* quarter notes */
    enum tokenization base_tokenizer;                         /* MMM: REMI, TSD or MIDI_LIKE */
    struct { uint8_t given; int32_t beats, steps, resolution; } max_duration; /* MIDILike; for decoding */
};

/* MidiTok's defaults for the tokenization called `name` (also REMIPlus: REMI with programs, tempos and time signatures). `programs`: with
 * use_programs where it can be chosen. PerTok and MMM have settings without a default in MidiTok; they get those of its documentation: ticks_per_quarter 320, use_microtiming,
 * max_microtiming_shift 0.125, num_microtiming_bins 30; base_tokenizer TSD. 0, or -1 with `why`, which names the tokenizations. */
int tokenizer_config_default(struct tokenizer_config *config, const char *name, int programs, struct reason *why) __attribute__((warn_unused_result));

/* Reads a tokenizer.json, as MidiTok's save() writes it, or TokenizerConfig.save_to_json's file, which names no tokenization: it takes `name` then, else NULL will
 * do. Not settled yet. 0, or -1 with `why`. */
int tokenizer_config_read(struct tokenizer_config *config, const char *text, size_t count, const char *name, struct reason *why)
    __attribute__((warn_unused_result));

/* Sets a single field from "name=value", the value as in tokenizer.json (text without quotes is text): beat_res={"0_4":8,"4_12":4}. 0, or -1 with `why`. */
int tokenizer_config_set(struct tokenizer_config *config, const char *assignment, struct reason *why) __attribute__((warn_unused_result));

/* Checks and completes. 0, or -1 with `why`. */
int tokenizer_config_settle(struct tokenizer_config *config, struct reason *why) __attribute__((warn_unused_result));

/* Appends a tokenizer.json that MidiTok 3.1.0 loads; of AMT, which MidiTok does not have, one that only Reprise loads. */
void tokenizer_config_write(const struct tokenizer_config *config, struct text_buffer *out);
/* Appends the members of its `config` object alone, with the braces. */
void tokenizer_config_write_fields(const struct tokenizer_config *config, struct text_buffer *out);

/* Whether notes are pairs of NoteOn and NoteOff (MIDILike, and MMM upon it). */
int config_note_on_off(const struct tokenizer_config *config);
/* Whether all tracks share one stream of events; MMM's tracks do not, but its sequence is a single one all the same (config_one_sequence). */
int config_one_stream(const struct tokenizer_config *config);
int config_one_sequence(const struct tokenizer_config *config);
/* The most steps per beat: max(beat_res.values()). */
int32_t config_positions_per_beat(const struct tokenizer_config *config);
int config_has_program(const struct program_set *set, int program);

#endif
