#include "midi_polyphony.h"

#include <string.h>

#include "grow.h"

#define MOST_SPANS 16384 /* as much as stays in a core's cache */

/* What happens in a span of time. */
struct midi_span {
    union { uint32_t starts, before; };     /* how many notes start; then how many sound when it begins */
    union { uint32_t ends, is_candidate; }; /* how many notes end; then whether it must be looked at note by note */
    uint32_t until_start, last_end;         /* the first start, as the ticks from there to the end of all time; the last end */
};

static void count_spans(const struct midi_file *file, struct midi_span *spans, size_t span_count, unsigned shift)
{
    memset(spans, 0, span_count * sizeof *spans);
    for (size_t i = 0; i < file->note_count; i++) {
        uint32_t from = (uint32_t)file->notes[i].start, to = from + (uint32_t)file->notes[i].duration;
        struct midi_span *start = &spans[from >> shift], *end = &spans[to >> shift];
        start->starts++;
        start->until_start = UINT32_MAX - from > start->until_start ? UINT32_MAX - from : start->until_start;
        end->ends++;
        end->last_end = to > end->last_end ? to : end->last_end;
    }
}

/* The most that sound at the beginning of a span. */
static uint32_t most_between(const struct midi_span *spans, size_t span_count)
{
    uint32_t sounding = 0, most = 0;
    for (size_t s = 0; s < span_count; s++) {
        sounding += spans[s].starts - spans[s].ends;
        most = sounding > most ? sounding : most;
    }
    return most;
}

/* Within a span more than `least` may sound only if more do with all of its starts and none of its ends, and some end comes behind a start. Returns
 * whether there is such a span. */
static int find_candidates(struct midi_span *spans, size_t span_count, uint32_t least)
{
    uint32_t sounding = 0;
    int found = 0;
    for (size_t s = 0; s < span_count; s++) {
        struct midi_span span = spans[s];
        spans[s].before = sounding;
        spans[s].is_candidate = sounding + span.starts > least && span.last_end > UINT32_MAX - span.until_start;
        found |= (int)spans[s].is_candidate;
        sounding += span.starts - span.ends;
    }
    return found;
}

/* The ends and starts in the candidates, by time; at one time ends come first: twice the time, and one more for a start. */
static int list_turns(struct midi_file *file, const struct midi_span *spans, unsigned shift, size_t *turns, struct reason *why)
{
    size_t count = 0;
    for (size_t i = 0; i < file->note_count; i++) {
        uint32_t from = (uint32_t)file->notes[i].start, to = from + (uint32_t)file->notes[i].duration, starts = spans[from >> shift].is_candidate,
                 ends = spans[to >> shift].is_candidate;
        if (!(starts | ends) || from == to)
            continue;
        if (GROW(file->turns, file->turn_capacity, count + 2, why) < 0)
            return -1;
        if (starts)
            file->turns[count++] = 2 * from + 1;
        if (ends)
            file->turns[count++] = 2 * to;
    }
    *turns = count;
    return time_order_sort(&file->order, file->turns, count, sizeof *file->turns, why);
}

int midi_polyphony(struct midi_file *file, int32_t last_end, size_t *most, struct reason *why)
{
    unsigned shift = 0;
    size_t turns = 0;
    while ((size_t)(last_end >> shift) >= MOST_SPANS || (size_t)(last_end >> shift) > file->note_count)
        shift++;
    size_t span_count = (size_t)(last_end >> shift) + 1;
    if (GROW(file->spans, file->span_capacity, span_count, why) < 0)
        return -1;
    count_spans(file, file->spans, span_count, shift);
    uint32_t least = most_between(file->spans, span_count), sounding = 0;
    if (find_candidates(file->spans, span_count, least) && list_turns(file, file->spans, shift, &turns, why) < 0)
        return -1;
    *most = least;
    for (size_t i = 0; i < turns; i++) {
        uint32_t turn = file->turns[i];
        if (i == 0 || turn >> 1 >> shift != file->turns[i - 1] >> 1 >> shift)
            sounding = file->spans[turn >> 1 >> shift].before;
        sounding += turn & 1 ? 1 : UINT32_MAX; /* one more, or one less */
        *most = sounding > *most ? sounding : *most;
    }
    return 0;
}
