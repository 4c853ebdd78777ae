/* TSD and MIDILike: time passes by TimeShift tokens, the longest first. */
#include "encoding.h"

struct shifting {
    struct encoding *encoding;
    const struct beat_table *shifts, *rests; /* for the beat in force; NULL: the vocabulary has none */
    int32_t time, sounding;                  /* of what was written last; until when something sounds */
};

static void set_beat(struct shifting *shifting, int32_t beat)
{
    shifting->shifts = beat_table_of(&shifting->encoding->tokenizer->durations, beat);
    shifting->rests = beat_table_of(&shifting->encoding->tokenizer->rests, beat);
}

/* Writes as many tokens as it takes; what is left is shorter than the shortest of them. */
static int pass_time(struct shifting *shifting, const struct beat_table *table, enum token_type type, int32_t until)
{
    struct encoding *encoding = shifting->encoding;
    const struct vocabulary_ids *ids = &encoding->tokenizer->vocabulary.of[type];
    while (until - shifting->time >= table->shortest) {
        int32_t left = until - shifting->time;
        uint16_t length = table->below[left < table->longest ? left : table->longest];
        if (encoding_room(encoding, 1) < 0)
            return -1;
        encoding_put(encoding, ids->ids[length - token_lowest[type]], shifting->time);
        shifting->time += table->ticks[length];
    }
    return 0;
}

static int move_to(struct shifting *shifting, int32_t time)
{
    struct encoding *encoding = shifting->encoding;
    if (encoding->tokenizer->config.use_rests) {
        if (!shifting->rests)
            return fail(encoding->why, "the vocabulary has no rests for the file's time signatures");
        if (time - shifting->sounding >= shifting->rests->shortest) {
            shifting->time = later(shifting->sounding, shifting->time);
            if (pass_time(shifting, shifting->rests, TOKEN_REST, time) < 0)
                return -1;
        }
    }
    if (time != shifting->time) {
        if (!shifting->shifts)
            return fail(encoding->why, "the vocabulary has no time shifts for the file's time signatures");
        if (pass_time(shifting, shifting->shifts, TOKEN_TIME_SHIFT, time) < 0)
            return -1;
    }
    shifting->time = time;
    return 0;
}

int encode_time_shifts(struct encoding *encoding, const struct score_events *events)
{
    const struct tokenizer *tokenizer = encoding->tokenizer;
    struct shifting shifting = {.encoding = encoding};
    set_beat(&shifting, encoding->score->quarter);
    for (size_t i = 0; i < events->count; i++) {
        const struct score_event *event = &events->list[i];
        if ((event->time != shifting.time && move_to(&shifting, event->time) < 0) || encoding_room(encoding, EVENT_IDS) < 0)
            return -1;
        if (event->program_changes)
            encoding_put(encoding, tokenizer->program_ids[event->program + 1], event->time);
        if (event->kind == EVENT_TIME_SIG)
            set_beat(&shifting, encoding->score->time_signatures[event->end].beat);
        encoding_put_event(encoding, event);
        if (event->kind == EVENT_NOTE)
            shifting.sounding = later(shifting.sounding, event->end);
        /* What else counts as sound until its time: in MIDILike neither a time signature nor a control change, nor the end of a note. */
        int program = event->program_changes || (tokenizer->kinds_with_program >> event->kind & 1);
        int counts = tokenizer->note_on_off ? event->kind != EVENT_TIME_SIG && event->kind != EVENT_CONTROL && event->kind != EVENT_NOTE_OFF
                                            : event->kind != EVENT_NOTE_OFF;
        if (program || (counts && event->kind != EVENT_NOTE))
            shifting.sounding = later(shifting.sounding, event->time);
    }
    return 0;
}
