#include "grid_parts.h"

#include <string.h>

#include "grow.h"

static int add_time_signature(struct grid_score *score, int32_t kind, int32_t time, uint8_t numerator, uint8_t denominator, struct reason *why)
{
    if (GROW(score->time_signatures, score->time_signature_capacity, score->time_signature_count + 1, why) < 0)
        return -1;
    score->time_signatures[score->time_signature_count++] =
        (struct grid_time_signature){.time = time, .kind = kind, .numerator = numerator, .denominator = denominator};
    return 0;
}

static int32_t kind_of(const struct tokenizer *tokenizer, int numerator, int denominator)
{
    int power = 0;
    while (denominator > 1 && !(denominator & 1)) {
        denominator /= 2;
        power++;
    }
    return denominator == 1 && power < 8 ? tokenizer->kinds[numerator][power] - 1 : -1;
}

static int add_common(const struct tokenizer *tokenizer, struct grid_score *score, struct reason *why)
{
    return add_time_signature(score, kind_of(tokenizer, 4, 4), 0, 4, 4, why);
}

/* Those with a place in the vocabulary (PerTok: all), in ticks of the file. *smallest: the largest denominator among them, the note value that sets the grid. */
static int keep_known(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, int *smallest, struct reason *why)
{
    int keep_all = tokenizer->config.tokenization == PER_TOK;
    *smallest = 0;
    for (size_t i = 0; i < file->time_signature_count; i++) {
        const struct midi_time_signature *signature = &file->time_signatures[i];
        int32_t kind = kind_of(tokenizer, signature->numerator, signature->denominator);
        if (kind < 0 && !keep_all)
            continue;
        if (!keep_all && score->time_signature_count == 0 && signature->time != 0) {
            if (add_common(tokenizer, score, why) < 0)
                return -1;
            *smallest = 4;
        }
        if (add_time_signature(score, kind, signature->time, signature->numerator, signature->denominator, why) < 0)
            return -1;
        if (signature->denominator > *smallest)
            *smallest = signature->denominator;
    }
    if (score->time_signature_count > 0 || keep_all)
        return 0;
    *smallest = 4;
    return add_common(tokenizer, score, why);
}

/* Into ticks of the grid: PerTok's are rounded, the others are cut. */
static int scale_times(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    double scale = score->quarter / file->ticks_per_quarter;
    for (size_t i = 0; i < score->time_signature_count; i++) {
        struct grid_time_signature *signature = &score->time_signatures[i];
        double time = signature->time * scale;
        if (time > GRID_LATEST)
            return fail(why, "a time signature lies too far behind the beginning");
        signature->time = tokenizer->config.tokenization == PER_TOK ? (int32_t)grid_rounded(time) : (int32_t)time;
        signature->beat = (int32_t)((int64_t)score->quarter * 4 / signature->denominator);
        signature->bar = signature->beat * signature->numerator;
        if (signature->bar == 0)
            return fail(why, "a bar of %d/%d has no ticks", signature->numerator, signature->denominator);
    }
    return 0;
}

static int same(const struct grid_time_signature *a, const struct grid_time_signature *b)
{
    return a->numerator == b->numerator && a->denominator == b->denominator;
}

/* Deletes repetitions, moves each to the next bar of the one before it, and lets the last one at a place win. Works like a stack: what is already
 * placed ends with the one in force. */
static int settle_on_bars(const struct tokenizer *tokenizer, struct grid_score *score, struct reason *why)
{
    struct grid_time_signature *placed = score->time_signatures;
    size_t count = 0;
    for (size_t i = 0; i < score->time_signature_count; i++) {
        struct grid_time_signature next = score->time_signatures[i];
        const struct grid_time_signature *before = count > 0 ? &placed[count - 1] : NULL;
        if (before && same(&next, before))
            continue;
        int64_t from = before ? before->time : 0, bar = before ? before->bar : next.bar;
        int64_t since = next.time > from ? next.time - from : 0;
        int64_t time = from + (since + bar - 1) / bar * bar;
        if (time > GRID_LATEST)
            return fail(why, "a time signature lies too far behind the beginning");
        next.time = (int32_t)time;
        if (before && next.time == before->time) {
            count--;
            if (count > 0 && same(&placed[count - 1], &next))
                continue;
        }
        placed[count++] = next;
    }
    score->time_signature_count = count;
    if (count == 0 || placed[0].time == 0)
        return 0;
    /* PerTok: nothing stands at the beginning. */
    if (tokenizer->config.delete_equal_successive_time_sig_changes && placed[0].numerator == 4 && placed[0].denominator == 4) {
        placed[0].time = 0;
        return 0;
    }
    struct grid_time_signature common = {.kind = kind_of(tokenizer, 4, 4), .numerator = 4, .denominator = 4, .beat = score->quarter, .bar = 4 * score->quarter};
    if (add_time_signature(score, 0, 0, 4, 4, why) < 0)
        return -1;
    memmove(score->time_signatures + 1, score->time_signatures, count * sizeof *score->time_signatures);
    score->time_signatures[0] = common;
    return 0;
}

/* Stretches of one denominator, from the settled time signatures. */
static int make_sections(const struct tokenizer *tokenizer, struct grid_score *score, struct reason *why)
{
    if (GROW(score->sections, score->section_capacity, score->time_signature_count + 1, why) < 0)
        return -1;
    size_t count = 0;
    for (size_t i = 0; i < score->time_signature_count; i++) {
        const struct grid_time_signature *signature = &score->time_signatures[i];
        if (count > 0 && score->sections[count - 1].beat == signature->beat)
            continue;
        int64_t steps = (int64_t)tokenizer->positions * signature->denominator;
        score->sections[count++] = (struct grid_section){.start = signature->time, .beat = signature->beat, .step = (int32_t)((int64_t)score->quarter * 4 / steps)};
    }
    if (count == 0) /* MidiTok takes the vocabulary's beat then, not the score's, which is another in PerTok */
        score->sections[count++] = (struct grid_section){.beat = tokenizer->positions * (tokenizer->vocabulary.denominator_most / 4)};
    if (count == 1)
        score->sections[0].step = 1;
    for (size_t i = 0; i < count; i++) {
        struct grid_section *section = &score->sections[i];
        section->end = i + 1 < count ? section[1].start : INT32_MAX;
        section->table = beat_table_of(&tokenizer->durations, section->beat);
        if (section->step == 0)
            return fail(why, "ticks_per_quarter is too small for the time signatures and beat_res");
    }
    score->section_count = count;
    return 0;
}

int grid_make_meter(const struct tokenizer *tokenizer, const struct midi_file *file, struct grid_score *score, struct reason *why)
{
    const struct tokenizer_config *config = &tokenizer->config;
    int smallest = 4;
    score->time_signature_count = 0;
    if (config->use_time_signatures && keep_known(tokenizer, file, score, &smallest, why) < 0)
        return -1;
    score->quarter = config->tokenization == PER_TOK ? config->ticks_per_quarter : tokenizer->positions * smallest / 4;
    if (score->quarter == 0)
        return fail(why, "the time signatures' beats are too long for beat_res");
    if (scale_times(tokenizer, file, score, why) < 0 || settle_on_bars(tokenizer, score, why) < 0)
        return -1;
    return make_sections(tokenizer, score, why);
}

/* ---- looking up and rounding ---- */

const struct grid_section *grid_section_at(const struct grid_section *section, const struct grid_section *end, int32_t time)
{
    if (time < section->end || section + 1 == end)
        return section;
    if (time < section[1].end)
        return section + 1;
    const struct grid_section *low = section + 1, *high = end - 1;
    while (low < high) {
        const struct grid_section *middle = low + (high - low) / 2;
        if (time < middle->end)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int32_t grid_on_step(const struct grid_section *section, int32_t time)
{
    int32_t since = time - section->start, steps = since / section->step, rest = since % section->step;
    if (2 * rest > section->step || (2 * rest == section->step && (steps & 1)))
        steps++;
    return section->start + steps * section->step;
}

void grid_round_times(const struct grid_score *score, void *items, size_t count, size_t size)
{
    if (score->section_count == 1)
        return;
    const struct grid_section *section = score->sections, *end = section + score->section_count;
    for (size_t i = 0; i < count; i++) {
        int32_t time;
        memcpy(&time, (char *)items + i * size, sizeof time);
        section = grid_section_at(section, end, time);
        time = grid_on_step(section, time);
        memcpy((char *)items + i * size, &time, sizeof time);
    }
}

void grid_round_ends(const struct grid_score *score, const struct grid_section *section, int32_t *time, int32_t *duration)
{
    const struct grid_section *end = score->sections + score->section_count;
    int32_t off = *time + *duration, start = grid_on_step(section, *time);
    off = grid_on_step(grid_section_at(section, end, off), off);
    if (off <= start)
        off = start + grid_section_at(section, end, start)->step;
    *time = start;
    *duration = off - start;
}
