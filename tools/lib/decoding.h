/* What the decoders of single tokenizations share. Part of token_decoder.h. */
#ifndef REPRISE_DECODING_H
#define REPRISE_DECODING_H

#include "sounding_notes.h"
#include "token_decoder.h"

#define DEFAULT_VELOCITY 100
#define PROGRAMS 129 /* -1 .. 127 */
#define DRUMS (-1)   /* as tokens say it */

struct decoding {
    const struct tokenizer_config *config;
    const struct vocabulary *vocabulary;
    int ticks_per_quarter;
    int one_stream;
    double default_tempo;

    struct song *song;
    const struct token_program *programs; /* of the tracks; NULL: none were given */
    size_t program_count;
    size_t track_of[PROGRAMS];            /* with one stream: 1 + the track of program + 1; 0: none yet */

    struct token *tokens; /* of a sequence, row by row: [count, columns] */
    size_t token_capacity;
    struct sounding_notes sounding;
};

/* The sequence's ids as d->tokens. 0, or -1 with `why`: an id that the vocabulary does not have. */
int decoding_read(struct decoding *d, const struct token_rows *rows, struct reason *why) __attribute__((warn_unused_result));

/* With one stream: the track of a program, made where there is none yet. */
int decoding_track(struct decoding *d, int program, size_t *track, struct reason *why) __attribute__((warn_unused_result));
/* A track for a sequence of its own. `program`: what the tokens say, where none was given with the tokens. */
int decoding_new_track(struct decoding *d, size_t sequence, int program, size_t *track, struct reason *why) __attribute__((warn_unused_result));
/* A track's program as tokens say it. */
int decoding_program(const struct decoding *d, size_t track);
/* Drops the last track if it has neither notes nor controls nor pitch bends. */
void decoding_drop_silent(struct decoding *d, size_t track);

/* As MidiTok computes them. A beat is that of the time signature; the most positions of a beat are those of the smallest. */
int64_t decoding_ticks_per_beat(const struct decoding *d, int denominator);
int64_t decoding_ticks_per_bar(const struct decoding *d, int numerator, int denominator);
int64_t decoding_default_duration(const struct decoding *d, int64_t ticks_per_beat);
/* The time signature and velocity of a token's value. */
struct config_time_signature decoding_time_signature(const struct decoding *d, int32_t value);
/* A time before the beginning is the beginning; one beyond 2^31 stays beyond SONG_LAST_TICK, which the song refuses. */
int32_t decoding_tick(int64_t tick);
int decoding_add_note(struct decoding *d, size_t track, int64_t time, int64_t duration, int pitch, int velocity, struct reason *why)
    __attribute__((warn_unused_result));

/* One tokenization's sequence each. */
int decode_stream(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why) __attribute__((warn_unused_result));
int decode_mmm(struct decoding *d, const struct token_rows *rows, struct reason *why) __attribute__((warn_unused_result));
int decode_structured(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why) __attribute__((warn_unused_result));
int decode_cp_word(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why) __attribute__((warn_unused_result));
int decode_octuple(struct decoding *d, const struct token_rows *rows, size_t sequence, struct reason *why) __attribute__((warn_unused_result));
int decode_mu_midi(struct decoding *d, const struct token_rows *rows, struct reason *why) __attribute__((warn_unused_result));
int decode_amt(struct decoding *d, const struct token_rows *rows, struct reason *why) __attribute__((warn_unused_result));

#endif
