#include "wanted_items.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grow.h"
#include "item_list.h"
#include "pair_list.h"
#include "work_files.h"

static int add_name(struct wanted_items *wanted, struct wanted_item item, const char *name, size_t length, struct reason *why)
{
    if (GROW(wanted->items, wanted->capacity, wanted->count + 1, why) < 0)
        return -1;
    item.name = hash_bytes(name, length);
    wanted->items[wanted->count++] = item;
    return 0;
}

/* A MIDI file under both of its names; `given` as INPUT has it. */
static int add_midi(struct wanted_items *wanted, const struct item *item, struct json_span given, int finished, struct reason *why)
{
    struct wanted_item entry = {.key = item->key, .path = wanted->paths.count, .finished = finished};
    struct text_buffer name = {0};
    text_add(&wanted->paths, item->value, item->value_length + 1);
    int result = json_decode_string(given, &name) < 0 || name.failed || wanted->paths.failed ? fail(why, "out of memory") : 0;
    if (result == 0)
        result = add_name(wanted, entry, name.bytes, name.count, why);
    if (result == 0 && (name.count != item->value_length || memcmp(name.bytes, item->value, name.count) != 0))
        result = add_name(wanted, entry, item->value, item->value_length, why);
    text_free(&name);
    return result;
}

static int add_list(struct wanted_items *wanted, const struct item_list *list, struct pair_list *pairs, enum shard_kind kind, int finished, struct reason *why)
{
    struct listed_pair pair;
    int more = 0;
    for (size_t i = 0; i < list->count && (more = pair_list_next(pairs, &pair, why)) > 0; i++) {
        const struct item *item = &list->items[i];
        if (item->unusable)
            continue;
        int result = kind == SHARD_OF_MIDI
                         ? add_midi(wanted, item, pair.midi_file, finished, why)
                         : add_name(wanted, (struct wanted_item){.key = item->key, .finished = finished}, item->value, item->value_length, why);
        if (result < 0)
            return -1;
    }
    return more < 0 ? -1 : 0;
}

static int add_shard(struct wanted_items *wanted, const char *work, const struct plan_record *plan, const struct shard_names *names, enum shard_kind kind,
                     struct reason *why)
{
    int midi = kind == SHARD_OF_MIDI;
    struct hash name = midi ? names->midi : names->text;
    char *shard = shard_file(work, kind, midi ? plan->tok : plan->emb, name), *items = list_file(work, name, midi ? "midi" : "text"),
         *pairs_path = list_file(work, names->piece, "pairs");
    struct item_list list = {0};
    struct pair_list *pairs = NULL;
    int result = shard && items && pairs_path ? 0 : fail(why, "out of memory"), finished = result == 0 ? is_there(shard, why) : -1;
    if (finished < 0)
        result = -1;
    if (result == 0)
        result = item_list_read(items, &list, why);
    if (result == 0)
        result = (pairs = pair_list_open(pairs_path, why)) ? add_list(wanted, &list, pairs, kind, finished, why) : -1;
    pair_list_close(pairs);
    item_list_free(&list);
    free(shard);
    free(items);
    free(pairs_path);
    return result;
}

static int compare_names(const void *a, const void *b)
{
    const struct wanted_item *x = a, *y = b;
    int order = hash_compare(x->name, y->name);
    return order ? order : x->finished - y->finished; /* of several places of one item, one that is missing stands first */
}

int wanted_items_read(struct wanted_items *wanted, const char *work, const struct plan_record *plan, enum shard_kind kind, struct reason *why)
{
    *wanted = (struct wanted_items){0};
    for (size_t i = 0; i < plan->shard_count; i++)
        if (add_shard(wanted, work, plan, &plan->shards[i], kind, why) < 0) {
            wanted_items_free(wanted);
            return -1;
        }
    if (wanted->count > 0)
        qsort(wanted->items, wanted->count, sizeof *wanted->items, compare_names);
    return 0;
}

const struct wanted_item *wanted_items_find(const struct wanted_items *wanted, const char *name, size_t length)
{
    struct hash value = hash_bytes(name, length);
    size_t low = 0, high = wanted->count;
    while (low < high) { /* the first that is not below */
        size_t middle = low + (high - low) / 2;
        if (hash_compare(wanted->items[middle].name, value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < wanted->count && hash_equal(wanted->items[low].name, value) ? &wanted->items[low] : NULL;
}

void wanted_items_free(struct wanted_items *wanted)
{
    free(wanted->items);
    text_free(&wanted->paths);
    *wanted = (struct wanted_items){0};
}
