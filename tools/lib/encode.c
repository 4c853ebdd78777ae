#include "encode.h"

#include "encoding.h"

int encoding_grow(struct encoding *encoding, size_t ids)
{
    struct token_list *out = encoding->out;
    if (ids > encoding->most || out->count > encoding->most - ids)
        return fail(encoding->why, "the music is spread over too many empty bars");
    if (out->want_times && GROW(out->times, out->time_capacity, out->count + ids, encoding->why) < 0)
        return -1;
    if (GROW(out->ids, out->capacity, out->count + ids, encoding->why) < 0)
        return -1;
    encoding->room = out->capacity < encoding->most ? out->capacity : encoding->most;
    if (out->want_times && out->time_capacity < encoding->room)
        encoding->room = out->time_capacity;
    return 0;
}

long encoder_prepare(struct encoder *encoder, const struct tokenizer *tokenizer, const struct midi_file *file, struct reason *why)
{
    if (grid_score_make(tokenizer, file, &encoder->score, why) < 0)
        return -1;
    if (config_one_sequence(&tokenizer->config) || encoder->score.track_count == 0)
        return 1;
    return (long)encoder->score.track_count;
}

static int encode_events(struct encoding *encoding, enum tokenization tokenization, struct score_events *events)
{
    switch (tokenization) {
    case REMI: return encode_remi(encoding, events);
    case TSD:
    case MIDI_LIKE: return encode_time_shifts(encoding, events);
    case STRUCTURED: return encode_structured(encoding, events);
    case CP_WORD: return encode_cp_word(encoding, events);
    case OCTUPLE: return encode_octuple(encoding, events);
    case MU_MIDI: return encode_mu_midi(encoding, events);
    case PER_TOK: return encode_per_tok(encoding, events);
    default: return fail(encoding->why, "%s has no events", tokenization_names[tokenization]);
    }
}

/* MidiTok adds no time to a track of a single token. */
static int is_single_token(const struct tokenizer *tokenizer, const struct score_events *events)
{
    return events->count == 1 && events->list[0].length == LENGTH_NONE && (events->list[0].kind != EVENT_NOTE || !tokenizer->config.use_velocities);
}

/* A track of its own: Track_Start, Program, what the base tokenization writes, Track_End. */
static int encode_mmm_track(struct encoding *encoding, const struct grid_track *track, struct score_events *events)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    if (encoding_room(encoding, EVENT_IDS) < 0)
        return -1;
    encoding_put(encoding, vocabulary_find(vocabulary, 0, "Track_Start"), 0);
    if (track)
        encoding_put(encoding, tokenizer->program_ids[track->value + 1], 0);
    if (is_single_token(tokenizer, events))
        encoding_put_event(encoding, &events->list[0]);
    else if (encode_events(encoding, tokenizer->config.base_tokenizer, events) < 0)
        return -1;
    if (encoding_room(encoding, 1) < 0)
        return -1;
    int32_t last = events->count > 0 ? events->list[events->count - 1].time : 0;
    encoding_put(encoding, vocabulary_find(vocabulary, 0, "Track_End"), last + 1);
    return 0;
}

static int encode_mmm(struct encoder *encoder, struct encoding *encoding)
{
    size_t tracks = encoder->score.track_count;
    for (size_t t = 0; t < (tracks > 0 ? tracks : 1); t++)
        if (score_events_make(encoding->tokenizer, &encoder->score, (long)t, &encoder->events, encoding->why) < 0 ||
            encode_mmm_track(encoding, tracks > 0 ? &encoder->score.tracks[t] : NULL, &encoder->events) < 0)
            return -1;
    return 0;
}

/* With program changes and one sequence a track, each begins with the track's program. */
static int put_program(struct encoder *encoder, struct encoding *encoding, long sequence)
{
    if (!encoding->tokenizer->config.program_changes || encoder->score.track_count == 0)
        return 0;
    if (encoding_room(encoding, 1) < 0)
        return -1;
    encoding_put(encoding, encoding->tokenizer->program_ids[encoder->score.tracks[sequence].value + 1], 0);
    return 0;
}

int encoder_encode(struct encoder *encoder, const struct tokenizer *tokenizer, long sequence, size_t most, struct token_list *out, struct reason *why)
{
    struct encoding encoding = {.tokenizer = tokenizer, .score = &encoder->score, .out = out, .most = most, .why = why};
    const struct tokenizer_config *config = &tokenizer->config;
    size_t before = out->count;
    int result;
    if (config->tokenization == MMM) {
        result = encode_mmm(encoder, &encoding);
    } else {
        int one = config_one_stream(config);
        result = !one && put_program(encoder, &encoding, sequence) < 0 ? -1 : 0;
        if (result == 0)
            result = score_events_make(tokenizer, &encoder->score, one ? -1 : sequence, &encoder->events, why);
        if (result == 0)
            result = encode_events(&encoding, config->tokenization, &encoder->events);
    }
    if (result == 0 && encoding.lacking < 0)
        result = fail(why, "the vocabulary lacks a token for what the file holds");
    if (result < 0)
        out->count = before;
    return result;
}

void encoder_free(struct encoder *encoder)
{
    grid_score_free(&encoder->score);
    score_events_free(&encoder->events);
}
