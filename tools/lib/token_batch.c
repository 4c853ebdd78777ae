#include "token_batch.h"

#include <stdlib.h>
#include <string.h>

#include "text_tokenizer.h"

void token_batch_clear(struct token_batch *batch)
{
    batch->texts = batch->distinct = 0;
    if (batch->slots)
        memset(batch->slots, 0, batch->slot_count * sizeof *batch->slots);
}

void token_batch_free(struct token_batch *batch)
{
    free(batch->distinct_of);
    free(batch->uses);
    free(batch->first);
    free(batch->offsets);
    free(batch->ids);
    free(batch->keys);
    free(batch->slots);
    text_free(&batch->prompted);
    *batch = (struct token_batch){0};
}

/* Makes *array hold `needed` elements of `size` bytes. */
static int resize(void *array, size_t needed, size_t size, struct reason *why)
{
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    if (!(grown = realloc(old, needed * size)))
        return fail(why, "out of memory");
    memcpy(array, &grown, sizeof grown);
    return 0;
}

/* The slot that holds this key, or the free one where it belongs. */
static size_t *find_slot(struct token_batch *batch, struct hash key)
{
    for (size_t at = (size_t)key.low;; at++) {
        size_t *slot = &batch->slots[at & (batch->slot_count - 1)];
        if (!*slot || hash_equal(batch->keys[*slot - 1], key))
            return slot;
    }
}

static int grow_table(struct token_batch *batch, struct reason *why)
{
    const size_t slots = batch->slot_count ? 2 * batch->slot_count : 1024;
    if (resize(&batch->slots, slots, sizeof *batch->slots, why) < 0)
        return -1;
    memset(batch->slots, 0, slots * sizeof *batch->slots);
    batch->slot_count = slots;
    for (size_t i = 0; i < batch->distinct; i++)
        *find_slot(batch, batch->keys[i]) = i + 1;
    return 0;
}

/* Room for one more distinct text of this many ids. */
static int make_room(struct token_batch *batch, size_t ids, struct reason *why)
{
    if (batch->distinct == batch->distinct_room) {
        const size_t room = 2 * batch->distinct_room + 64;
        if (resize(&batch->uses, room, sizeof *batch->uses, why) < 0 || resize(&batch->first, room, sizeof *batch->first, why) < 0 ||
            resize(&batch->offsets, room + 1, sizeof *batch->offsets, why) < 0 ||
            resize(&batch->keys, room, sizeof *batch->keys, why) < 0)
            return -1;
        batch->distinct_room = room;
        batch->offsets[0] = 0;
    }
    if (2 * batch->distinct >= batch->slot_count && grow_table(batch, why) < 0)
        return -1;
    const size_t used = batch->offsets[batch->distinct];
    if (used + ids > batch->id_room) {
        const size_t room = 2 * batch->id_room + ids;
        if (resize(&batch->ids, room, sizeof *batch->ids, why) < 0)
            return -1;
        batch->id_room = room;
    }
    return 0;
}

static int add_place(struct token_batch *batch, size_t distinct, struct reason *why)
{
    if (batch->texts == batch->text_room) {
        const size_t room = 2 * batch->text_room + 64;
        if (resize(&batch->distinct_of, room, sizeof *batch->distinct_of, why) < 0)
            return -1;
        batch->text_room = room;
    }
    batch->distinct_of[batch->texts++] = distinct;
    return 0;
}

int token_batch_add_none(struct token_batch *batch, struct reason *why)
{
    return add_place(batch, TOKEN_BATCH_NONE, why);
}

/* The ids of a text behind its prompt. A text without tokens of its own gets those of the template alone, as if there were no prompt. */
static long encode(struct token_batch *batch, struct text_tokenizer *tokenizer, const char *prompt, const char *text, size_t bytes, size_t max_tokens, int32_t *ids,
                   struct reason *why)
{
    if (!*prompt)
        return text_tokenizer_encode(tokenizer, text, bytes, max_tokens, ids, why);
    const size_t added = text_tokenizer_added(tokenizer);
    const long alone = text_tokenizer_encode(tokenizer, text, bytes, added + 1 < max_tokens ? added + 1 : max_tokens, ids, why);
    if (alone <= (long)added)
        return alone;
    text_clear(&batch->prompted);
    text_add_string(&batch->prompted, prompt);
    text_add(&batch->prompted, text, bytes);
    if (batch->prompted.failed)
        return fail(why, "out of memory");
    return text_tokenizer_encode(tokenizer, batch->prompted.bytes, batch->prompted.count, max_tokens, ids, why);
}

int token_batch_add(struct token_batch *batch, struct text_tokenizer *tokenizer, const char *prompt, const char *text, size_t bytes, size_t max_tokens, struct reason *why)
{
    if (make_room(batch, max_tokens, why) < 0)
        return -1;
    const struct hash key = hash_bytes(text, bytes);
    size_t *slot = find_slot(batch, key);
    if (*slot) {
        batch->uses[*slot - 1]++;
        return add_place(batch, *slot - 1, why);
    }
    const size_t begin = batch->offsets[batch->distinct];
    const long tokens = encode(batch, tokenizer, prompt, text, bytes, max_tokens, batch->ids + begin, why);
    const long added = (long)text_tokenizer_added(tokenizer);
    if (tokens == added)
        fail(why, bytes ? "empty text (white space or control characters only)" : "empty text");
    if (tokens < 0 && is_out_of_memory(why))
        return -1;
    if (tokens <= added)
        return add_place(batch, TOKEN_BATCH_NONE, why) < 0 ? -1 : 1;
    if (add_place(batch, batch->distinct, why) < 0)
        return -1;
    batch->keys[batch->distinct] = key;
    batch->uses[batch->distinct] = 1;
    batch->first[batch->distinct] = batch->texts - 1;
    *slot = ++batch->distinct;
    batch->offsets[batch->distinct] = begin + (size_t)tokens;
    return 0;
}

size_t token_batch_tokens(const struct token_batch *batch, size_t text)
{
    const size_t distinct = batch->distinct_of[text];
    return distinct == TOKEN_BATCH_NONE ? 0 : batch->offsets[distinct + 1] - batch->offsets[distinct];
}
