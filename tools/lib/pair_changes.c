#include "pair_changes.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "item_list.h"
#include "pair_list.h"
#include "whole_file.h"
#include "work_files.h"

/* ---- reading the lists ---- */

static int read_items(const char *work, struct hash name, const char *ending, struct item_list *list, struct reason *why)
{
    struct reason inner;
    char *path = list_file(work, name, ending);
    int result = !path ? fail(why, "out of memory") : item_list_read(path, list, &inner) < 0 ? fail(why, "%s: %s", path, inner.text) : 0;
    free(path);
    return result;
}

static int add_pair(struct seen_pairs *pairs, size_t shard, const struct listed_pair *listed, struct hash midi, struct hash text, struct reason *why)
{
    if (GROW(pairs->list, pairs->capacity, pairs->count + 1, why) < 0)
        return -1;
    pairs->list[pairs->count++] = (struct seen_pair){
        .file = hash_bytes(listed->midi_file.text, listed->midi_file.length), .midi = midi, .text = text,
        .fields = hash_bytes(listed->fields.text, listed->fields.length), .shard = shard, .name = pairs->names.count,
    };
    if (json_decode_string(listed->midi_file, &pairs->names) < 0)
        return fail(why, "a file name that is none");
    text_add(&pairs->names, "", 1);
    return pairs->names.failed ? fail(why, "out of memory") : 0;
}

static int read_pairs(struct seen_pairs *pairs, const char *path, size_t shard, const struct item_list *midi, const struct item_list *text, struct reason *why)
{
    struct listed_pair listed;
    struct pair_list *list = pair_list_open(path, why);
    size_t count = 0;
    int more = list ? 1 : -1;
    while (list && (more = pair_list_next(list, &listed, why)) > 0) {
        if (count >= midi->count || count >= text->count)
            more = fail(why, "more pairs than MIDI files or texts");
        else
            more = add_pair(pairs, shard, &listed, midi->items[count].key, text->items[count].key, why);
        if (more < 0)
            break;
        count++;
    }
    pair_list_close(list);
    return more;
}

static int read_shard(struct seen_pairs *pairs, const char *work, const struct plan_record *plan, size_t shard, struct reason *why)
{
    const struct shard_names *names = &plan->shards[shard];
    struct item_list midi = {0}, text = {0};
    struct reason inner;
    char *path = list_file(work, names->piece, "pairs");
    int result = path ? 0 : fail(why, "out of memory");
    if (result == 0)
        result = read_items(work, names->midi, "midi", &midi, why);
    if (result == 0)
        result = read_items(work, names->text, "text", &text, why);
    if (result == 0 && read_pairs(pairs, path, shard, &midi, &text, &inner) < 0)
        result = fail(why, "%s: %s", path, inner.text);
    item_list_free(&midi);
    item_list_free(&text);
    free(path);
    return result;
}

/* ---- shards that are equal in both ---- */

struct placed { const struct shard_names *names; size_t shard; int used; };

static int compare_contents(const void *a, const void *b)
{
    const struct shard_names *x = ((const struct placed *)a)->names, *y = ((const struct placed *)b)->names;
    int order = hash_compare(x->midi, y->midi);
    return order ? order : hash_compare(x->text, y->text);
}

static int same_pairs(const char *work, struct hash a, struct hash b)
{
    struct whole_file first = {0}, second = {0};
    char *one = list_file(work, a, "pairs"), *other = list_file(work, b, "pairs");
    int same = one && other && whole_file_read(one, &first, NULL) == 0 && whole_file_read(other, &second, NULL) == 0 && first.count == second.count &&
               memcmp(first.bytes, second.bytes, first.count) == 0;
    whole_file_free(&first);
    whole_file_free(&second);
    free(one);
    free(other);
    return same;
}

/* The unused shard of `then` with the contents of `names`, found in the sorted list. */
static struct placed *find_equal(const char *work, struct placed *then, size_t count, const struct shard_names *names)
{
    struct placed wanted = {.names = names};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_contents(&then[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && compare_contents(&then[low], &wanted) == 0; low++)
        if (!then[low].used && (hash_equal(then[low].names->piece, names->piece) || same_pairs(work, then[low].names->piece, names->piece)))
            return &then[low];
    return NULL;
}

/* Reads the shards of both plans that are not equal in both. */
static int read_differing(const char *work, const struct plan_record *now, const struct plan_record *then, struct pair_changes *changes, struct reason *why)
{
    struct placed *sorted = calloc(then->shard_count + 1, sizeof *sorted);
    char *equal = calloc(then->shard_count + 1, 1);
    int result = sorted && equal ? 0 : fail(why, "out of memory");
    for (size_t i = 0; sorted && i < then->shard_count; i++)
        sorted[i] = (struct placed){&then->shards[i], i, 0};
    if (result == 0)
        qsort(sorted, then->shard_count, sizeof *sorted, compare_contents);
    for (size_t i = 0; result == 0 && i < now->shard_count; i++) {
        struct placed *same = find_equal(work, sorted, then->shard_count, &now->shards[i]);
        if (same)
            same->used = equal[same->shard] = 1;
        else
            result = read_shard(&changes->now, work, now, i, why);
    }
    for (size_t i = 0; result == 0 && i < then->shard_count; i++)
        if (!equal[i])
            result = read_shard(&changes->then, work, then, i, why);
    free(sorted);
    free(equal);
    return result;
}

static int read_all(const char *work, const struct plan_record *plan, struct seen_pairs *pairs, struct reason *why)
{
    for (size_t i = 0; plan && i < plan->shard_count; i++)
        if (read_shard(pairs, work, plan, i, why) < 0)
            return -1;
    return 0;
}

/* ---- matching ---- */

static int compare_files(const struct seen_pair *a, const struct seen_pair *b)
{
    return hash_compare(a->file, b->file);
}

static int compare_pairs(const struct seen_pair *a, const struct seen_pair *b)
{
    int order = compare_files(a, b);
    order = order ? order : hash_compare(a->text, b->text);
    order = order ? order : hash_compare(a->midi, b->midi);
    return order ? order : hash_compare(a->fields, b->fields);
}

/* For pointers into one list; equal pairs in input order. */
static int by_contents(const void *a, const void *b)
{
    const struct seen_pair *x = *(struct seen_pair *const *)a, *y = *(struct seen_pair *const *)b;
    int order = compare_pairs(x, y);
    return order ? order : (x > y) - (x < y);
}

static int by_file(const void *a, const void *b)
{
    const struct seen_pair *x = *(struct seen_pair *const *)a, *y = *(struct seen_pair *const *)b;
    int order = compare_files(x, y);
    return order ? order : (x > y) - (x < y);
}

static struct seen_pair **pointers_to(struct seen_pairs *pairs)
{
    struct seen_pair **pointers = calloc(pairs->count + 1, sizeof *pointers);
    for (size_t i = 0; pointers && i < pairs->count; i++)
        pointers[i] = &pairs->list[i];
    return pointers;
}

/* Drops the pairs that are in both lists, both sorted by contents. */
static void drop_equal(struct seen_pair **now, size_t *now_count, struct seen_pair **then, size_t *then_count)
{
    size_t i = 0, j = 0, now_kept = 0, then_kept = 0;
    while (i < *now_count || j < *then_count) {
        int order = i == *now_count ? 1 : j == *then_count ? -1 : compare_pairs(now[i], then[j]);
        if (order == 0)
            i++, j++;
        else if (order < 0)
            now[now_kept++] = now[i++];
        else
            then[then_kept++] = then[j++];
    }
    *now_count = now_kept;
    *then_count = then_kept;
}

static int changes_between(const struct seen_pair *now, const struct seen_pair *then)
{
    return (hash_equal(now->midi, then->midi) ? 0 : PAIR_MIDI) | (hash_equal(now->text, then->text) ? 0 : PAIR_TEXT) |
           (hash_equal(now->fields, then->fields) ? 0 : PAIR_FIELDS);
}

static int match(struct pair_changes *changes, struct reason *why)
{
    size_t now_count = changes->now.count, then_count = changes->then.count;
    struct seen_pair **now = pointers_to(&changes->now), **then = pointers_to(&changes->then);
    int result = now && then ? 0 : fail(why, "out of memory");
    if (result == 0) {
        qsort(now, now_count, sizeof(struct seen_pair *), by_contents);
        qsort(then, then_count, sizeof(struct seen_pair *), by_contents);
        drop_equal(now, &now_count, then, &then_count);
        qsort(now, now_count, sizeof(struct seen_pair *), by_file);
        qsort(then, then_count, sizeof(struct seen_pair *), by_file);
        for (size_t i = 0, j = 0; i < now_count || j < then_count;) {
            int order = i == now_count ? 1 : j == then_count ? -1 : compare_files(now[i], then[j]);
            if (order == 0) {
                now[i]->changes = changes_between(now[i], then[j]);
                i++, j++;
            } else if (order < 0) {
                now[i++]->changes = PAIR_NEW;
            } else {
                then[j++]->changes = PAIR_REMOVED;
            }
        }
    }
    free(now);
    free(then);
    return result;
}

int pair_changes_find(const char *work, const struct plan_record *now, const struct plan_record *then, int every, struct pair_changes *changes,
                      struct reason *why)
{
    *changes = (struct pair_changes){0};
    int result = 0;
    if (then && !every)
        result = read_differing(work, now, then, changes, why);
    else if (every)
        result = read_all(work, now, &changes->now, why) < 0 ? -1 : read_all(work, then, &changes->then, why);
    if (result == 0 && then)
        result = match(changes, why);
    if (result < 0)
        pair_changes_free(changes);
    return result;
}

void pair_changes_free(struct pair_changes *changes)
{
    free(changes->now.list);
    free(changes->then.list);
    text_free(&changes->now.names);
    text_free(&changes->then.names);
    *changes = (struct pair_changes){0};
}
