#include "run_start.h"

#include <stdio.h>
#include <stdlib.h>

#include "journal.h"
#include "progress.h"
#include "shard_cache.h"
#include "stage_survey.h"

static struct stage stage_of(const char *work, const struct plan_record *plan, enum shard_kind kind)
{
    return (struct stage){.kind = kind, .work = work, .signature = kind == SHARD_OF_MIDI ? plan->tok : plan->emb};
}

/* [plan->shard_count]; NULL with `why`. */
static struct stage_shard *shards_of(const struct plan_record *plan, enum shard_kind kind, struct reason *why)
{
    struct stage_shard *shards = calloc(plan->shard_count + 1, sizeof *shards);
    if (!shards)
        fail(why, "out of memory");
    for (size_t i = 0; shards && i < plan->shard_count; i++)
        shards[i] = (struct stage_shard){kind == SHARD_OF_MIDI ? plan->shards[i].midi : plan->shards[i].text, plan->shards[i].pairs};
    return shards;
}

int run_keep(const char *work, const struct plan_record *plan, struct reason *why)
{
    for (int kind = 0; shard_cache_folder() && kind < SHARD_KINDS; kind++) {
        struct stage stage = stage_of(work, plan, (enum shard_kind)kind);
        struct stage_shard *shards = shards_of(plan, (enum shard_kind)kind, why);
        if (!shards)
            return -1;
        shard_cache_exchange(&stage, shards, plan->shard_count, 0);
        free(shards);
    }
    return 0;
}

static int survey_stage(const char *work, const struct plan_record *plan, enum shard_kind kind, struct known_shards *known, struct survey *survey,
                        struct reason *why)
{
    struct stage stage = stage_of(work, plan, kind);
    struct stage_shard *shards = shards_of(plan, kind, why);
    if (!shards)
        return -1;
    size_t taken = shard_cache_exchange(&stage, shards, plan->shard_count, 1);
    if (taken > 0)
        message(MESSAGE_INFO, shard_cache_folder(), "%zu finished %s shards taken from the cache", taken, kind == SHARD_OF_MIDI ? "MIDI" : "text");
    int result = stage_survey(&stage, shards, plan->shard_count, known, survey, why);
    free(shards);
    return result;
}

/* A run that did not come to note its end gets it now, from the counters that it left. 1 if there was one. */
static int end_killed_run(const char *work, const char *counters, const struct journal *journal)
{
    struct progress_figures last;
    const struct journal_run *run = progress_read(counters, &last) == 0 ? journal_find(journal, journal_run_of(&last)) : NULL;
    if (!run || run->state != JOURNAL_OPEN)
        return 0;
    journal_end(work, &last, JOURNAL_INTERRUPTED);
    return 1;
}

static void consult_journal(const char *work, const char *counters, const struct plan_record *plan, struct progress_beginning *beginning)
{
    struct journal journal;
    struct reason why;
    int result = journal_read(work, &journal, &why);
    if (result == 0 && end_killed_run(work, counters, &journal)) {
        journal_free(&journal);
        result = journal_read(work, &journal, &why);
    }
    if (result < 0) {
        message(MESSAGE_WARNING, NULL, "%s; it is not used", why.text);
        return;
    }
    beginning->expected[PROGRESS_MIDI] = journal_speed(&journal, PROGRESS_MIDI, plan->tok);
    beginning->expected[PROGRESS_TEXT] = journal_speed(&journal, PROGRESS_TEXT, plan->emb);
    journal_free(&journal);
}

int run_start(const char *work, const char *input, const char *outputs, const struct plan_record *plan, struct known_shards *known, int anew,
              struct reason *why)
{
    struct survey midi, text;
    struct progress_beginning beginning = {0};
    struct progress_figures figures;
    size_t pairs = 0;
    char *counters = NULL;
    for (size_t i = 0; i < plan->shard_count; i++)
        pairs += plan->shards[i].pairs;
    if (survey_stage(work, plan, SHARD_OF_MIDI, known, &midi, why) < 0 || survey_stage(work, plan, SHARD_OF_TEXT, known, &text, why) < 0)
        return -1;
    if (anew)
        midi.finished_items = text.finished_items = 0;
    if (asprintf(&counters, "%s/progress", work) < 0)
        return fail(why, "out of memory");
    consult_journal(work, counters, plan, &beginning);
    beginning.total[PROGRESS_MIDI] = midi.items;
    beginning.total[PROGRESS_TEXT] = text.items;
    beginning.finished[PROGRESS_MIDI] = midi.finished_items;
    beginning.finished[PROGRESS_TEXT] = text.finished_items;
    int result = progress_start(counters, &beginning, why);
    if (result == 0 && progress_read(counters, &figures) == 0)
        journal_begin(work, &figures, outputs, plan);
    free(counters);
    message(MESSAGE_INFO, input, "%zu %s in %zu %s; MIDI files to do: %llu, texts to do: %llu", pairs, pairs == 1 ? "pair" : "pairs", plan->shard_count,
            plan->shard_count == 1 ? "shard" : "shards", (unsigned long long)(midi.items - midi.finished_items),
            (unsigned long long)(text.items - text.finished_items));
    return result;
}
