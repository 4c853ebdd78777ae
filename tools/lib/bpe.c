#include "bpe.h"

#include <stdlib.h>
#include <string.h>

#include "subword_vocabulary.h"
#include "utf8.h"

#define LINK_NONE UINT32_MAX

struct merge { int32_t left, right, merged; uint32_t rank; }; /* left -1: a free place of the table */

struct symbol { int32_t id; uint32_t before, next; }; /* id -1: merged into the one before it */

struct candidate { uint32_t rank, place; int32_t merged; };

struct bpe {
    struct trie vocabulary;
    struct merge *merges; /* hash table of pairs */
    uint32_t mask;
    char *prefix, *suffix; /* of pieces of a word but the first, and of the last; NULL: none */
    char *affixed;         /* room for a character between them */
    int has_unknown, fuse_unknown, byte_fallback, ignore_merges;
    int32_t unknown; /* -1: the model names one that is not in its vocabulary */
    int32_t byte_tokens[256];

    struct symbol *symbols; /* of the piece at work */
    size_t symbol_count, symbol_capacity;
    struct candidate *heap;
    size_t heap_count, heap_capacity;
};

/* ---- the table of merges ---- */

static struct merge *find_merge(const struct bpe *self, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    key *= 0x9e3779b97f4a7c15u;
    for (uint64_t at = key >> 32;; at++) {
        struct merge *merge = &self->merges[at & self->mask];
        if (merge->left < 0 || (merge->left == left && merge->right == right))
            return merge;
    }
}

/* The two texts of a merge: "left right", or a list of both. */
struct merge_texts { const char *left, *right; size_t left_bytes, right_bytes; };

static int read_merge_texts(const cJSON *value, size_t index, struct merge_texts *texts, struct reason *why)
{
    if (cJSON_IsString(value)) {
        const char *space = strchr(value->valuestring, ' ');
        if (space && !strchr(space + 1, ' ')) {
            *texts = (struct merge_texts){value->valuestring, space + 1, (size_t)(space - value->valuestring), strlen(space + 1)};
            return 0;
        }
    } else if (cJSON_IsArray(value) && cJSON_GetArraySize(value) == 2 && cJSON_IsString(value->child) && cJSON_IsString(value->child->next)) {
        const char *left = value->child->valuestring, *right = value->child->next->valuestring;
        *texts = (struct merge_texts){left, right, strlen(left), strlen(right)};
        return 0;
    }
    return fail(why, "merges: entry %zu is not a pair of tokens", index + 1);
}

static int add_merge(struct bpe *self, const cJSON *value, size_t index, struct reason *why)
{
    struct merge_texts texts = {0};
    if (read_merge_texts(value, index, &texts, why) < 0)
        return -1;
    const size_t prefix = self->prefix ? strlen(self->prefix) : 0;
    const int32_t left = trie_find(&self->vocabulary, texts.left, texts.left_bytes), right = trie_find(&self->vocabulary, texts.right, texts.right_bytes);
    int32_t merged = -1;
    if (left >= 0 && right >= 0 && texts.right_bytes >= prefix) {
        uint32_t node = trie_walk(&self->vocabulary, TRIE_ROOT, texts.left, texts.left_bytes);
        node = trie_walk(&self->vocabulary, node, texts.right + prefix, texts.right_bytes - prefix);
        merged = node == TRIE_NONE ? -1 : self->vocabulary.nodes[node].id;
    }
    if (merged < 0)
        return fail(why, "merges: entry %zu: one of its tokens, or the one they become, is not in the vocabulary", index + 1);
    *find_merge(self, left, right) = (struct merge){left, right, merged, (uint32_t)index};
    return 0;
}

static int read_merges(struct bpe *self, const cJSON *model, struct reason *why)
{
    const cJSON *merges = cJSON_GetObjectItemCaseSensitive(model, "merges"), *value;
    if (!cJSON_IsArray(merges))
        return fail(why, "merges is not a list");
    const size_t count = (size_t)cJSON_GetArraySize(merges);
    uint32_t slots = 64;
    if (count >= SUBWORD_IDS)
        return fail(why, "merges: %zu entries; at most %d are read", count, SUBWORD_IDS);
    while (slots < 2 * count)
        slots *= 2;
    if (!(self->merges = malloc(slots * sizeof *self->merges)))
        return fail(why, "out of memory");
    self->mask = slots - 1;
    for (uint32_t i = 0; i < slots; i++)
        self->merges[i].left = -1;
    size_t index = 0;
    cJSON_ArrayForEach(value, merges)
        if (add_merge(self, value, index++, why) < 0)
            return -1;
    return 0;
}

/* ---- opening ---- */

static int copy_affix(const char *text, char **copy, struct reason *why)
{
    if (text && *text && !(*copy = strdup(text)))
        return fail(why, "out of memory");
    return 0;
}

static int read_settings(struct bpe *self, const cJSON *model, struct reason *why)
{
    const cJSON *dropout = cJSON_GetObjectItemCaseSensitive(model, "dropout");
    const char *prefix, *suffix, *unknown;
    if (dropout && !cJSON_IsNull(dropout) && !(cJSON_IsNumber(dropout) && dropout->valuedouble == 0)) /* exactly: none at all */
        return fail(why, "dropout is set: merges left out by chance are not known");
    if (subword_text(model, "continuing_subword_prefix", &prefix, why) < 0 || subword_text(model, "end_of_word_suffix", &suffix, why) < 0 ||
        subword_text(model, "unk_token", &unknown, why) < 0 || subword_flag(model, "fuse_unk", &self->fuse_unknown, why) < 0 ||
        subword_flag(model, "byte_fallback", &self->byte_fallback, why) < 0 || subword_flag(model, "ignore_merges", &self->ignore_merges, why) < 0 ||
        copy_affix(prefix, &self->prefix, why) < 0 || copy_affix(suffix, &self->suffix, why) < 0)
        return -1;
    for (const char *at = prefix; at && *at; at++)
        if ((unsigned char)*at >= 0x80)
            return fail(why, "continuing_subword_prefix %s is not ASCII, which is not known", prefix);
    if (!(self->affixed = malloc((prefix ? strlen(prefix) : 0) + (suffix ? strlen(suffix) : 0) + 4)))
        return fail(why, "out of memory");
    self->has_unknown = unknown != NULL;
    self->unknown = unknown ? trie_find(&self->vocabulary, unknown, strlen(unknown)) : -1;
    subword_byte_tokens(&self->vocabulary, self->byte_tokens);
    return 0;
}

struct bpe *bpe_open(const cJSON *model, struct reason *why)
{
    struct bpe *self = calloc(1, sizeof *self);
    if (!self) {
        fail(why, "out of memory");
        return NULL;
    }
    if (subword_vocabulary_read(model, &self->vocabulary, why) < 0 || read_settings(self, model, why) < 0 || read_merges(self, model, why) < 0) {
        bpe_close(self);
        return NULL;
    }
    return self;
}

void bpe_close(struct bpe *self)
{
    if (!self)
        return;
    trie_free(&self->vocabulary);
    free(self->merges);
    free(self->prefix);
    free(self->suffix);
    free(self->affixed);
    free(self->symbols);
    free(self->heap);
    free(self);
}

int32_t bpe_find(const struct bpe *self, const char *token)
{
    return trie_find(&self->vocabulary, token, strlen(token));
}

size_t bpe_ids(const struct bpe *self)
{
    return trie_ids(&self->vocabulary);
}

/* ---- a piece to symbols ---- */

static int add_symbol(struct bpe *self, int32_t id, struct reason *why)
{
    if (self->symbol_count >= LINK_NONE - 1)
        return fail(why, "a piece of more than %u characters", LINK_NONE - 1);
    if (GROW(self->symbols, self->symbol_capacity, self->symbol_count + 1, why) < 0)
        return -1;
    const uint32_t at = (uint32_t)self->symbol_count++;
    self->symbols[at] = (struct symbol){id, at ? at - 1 : LINK_NONE, at + 1};
    return 0;
}

/* Puts the model's affixes around a character. */
static const char *affix(const struct bpe *self, const char *character, size_t *bytes, int first, int last)
{
    size_t count = 0;
    if (self->prefix && !first) {
        count = strlen(self->prefix);
        memcpy(self->affixed, self->prefix, count);
    }
    memcpy(self->affixed + count, character, *bytes);
    count += *bytes;
    if (self->suffix && last) {
        memcpy(self->affixed + count, self->suffix, strlen(self->suffix));
        count += strlen(self->suffix);
    }
    *bytes = count;
    return self->affixed;
}

/* Adds a character that has no token of its own as its bytes' tokens. 1 if it could be done, 0, -1. */
static int add_byte_tokens(struct bpe *self, const char *text, size_t bytes, struct reason *why)
{
    for (size_t i = 0; i < bytes; i++)
        if (self->byte_tokens[(unsigned char)text[i]] < 0)
            return 0;
    for (size_t i = 0; i < bytes; i++)
        if (add_symbol(self, self->byte_tokens[(unsigned char)text[i]], why) < 0)
            return -1;
    return 1;
}

/* An unknown character waits (`pending`), so that those behind it can be fused with it. As in the package, byte tokens do not end the wait. */
static int add_unknown(struct bpe *self, int *pending, struct reason *why)
{
    if (!self->has_unknown)
        return 0;
    if (*pending && self->fuse_unknown)
        return 0;
    if (*pending && add_symbol(self, self->unknown, why) < 0)
        return -1;
    if (self->unknown < 0)
        return fail(why, "a character is not in the vocabulary, and neither is the model's unk_token");
    *pending = 1;
    return 0;
}

static int split(struct bpe *self, const char *piece, size_t bytes, struct reason *why)
{
    int pending = 0;
    self->symbol_count = 0;
    for (size_t at = 0, next; at < bytes; at = next) {
        const size_t length = utf8_sequence_length(piece + at, bytes - at);
        if (!length)
            return fail(why, "not UTF-8 at byte %zu", at);
        next = at + length;
        const char *text = piece + at;
        size_t count = length;
        if (self->prefix || self->suffix)
            text = affix(self, text, &count, at == 0, next == bytes);
        const int32_t id = trie_find(&self->vocabulary, text, count);
        if (id >= 0) {
            if (pending && add_symbol(self, self->unknown, why) < 0)
                return -1;
            pending = 0;
            if (add_symbol(self, id, why) < 0)
                return -1;
            continue;
        }
        const int known = self->byte_fallback ? add_byte_tokens(self, text, count, why) : 0;
        if (known < 0 || (!known && add_unknown(self, &pending, why) < 0))
            return -1;
    }
    if (pending && add_symbol(self, self->unknown, why) < 0)
        return -1;
    if (self->symbol_count)
        self->symbols[self->symbol_count - 1].next = LINK_NONE;
    return 0;
}

/* ---- merging: a heap of candidates; one whose symbols have changed meanwhile is left out when its turn comes ---- */

static int comes_before(struct candidate a, struct candidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.place < b.place;
}

static int push(struct bpe *self, uint32_t place, struct reason *why)
{
    const struct symbol *symbol = &self->symbols[place];
    const struct merge *merge = find_merge(self, symbol->id, self->symbols[symbol->next].id);
    if (merge->left < 0)
        return 0;
    if (GROW(self->heap, self->heap_capacity, self->heap_count + 1, why) < 0)
        return -1;
    const struct candidate added = {merge->rank, place, merge->merged};
    size_t at = self->heap_count++;
    for (; at && comes_before(added, self->heap[(at - 1) / 2]); at = (at - 1) / 2)
        self->heap[at] = self->heap[(at - 1) / 2];
    self->heap[at] = added;
    return 0;
}

static struct candidate pop(struct bpe *self)
{
    const struct candidate first = self->heap[0], last = self->heap[--self->heap_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < self->heap_count; at = child) {
        if (child + 1 < self->heap_count && comes_before(self->heap[child + 1], self->heap[child]))
            child++;
        if (!comes_before(self->heap[child], last))
            break;
        self->heap[at] = self->heap[child];
    }
    self->heap[at] = last;
    return first;
}

static int merge_symbols(struct bpe *self, struct reason *why)
{
    self->heap_count = 0;
    for (size_t i = 0; i + 1 < self->symbol_count; i++)
        if (push(self, (uint32_t)i, why) < 0)
            return -1;
    while (self->heap_count) {
        const struct candidate candidate = pop(self);
        struct symbol *symbol = &self->symbols[candidate.place];
        if (symbol->id < 0 || symbol->next == LINK_NONE)
            continue;
        struct symbol *right = &self->symbols[symbol->next];
        const struct merge *merge = find_merge(self, symbol->id, right->id);
        if (merge->left < 0 || merge->merged != candidate.merged)
            continue;
        symbol->id = merge->merged;
        symbol->next = right->next;
        right->id = -1;
        if (symbol->next != LINK_NONE)
            self->symbols[symbol->next].before = candidate.place;
        if ((symbol->before != LINK_NONE && push(self, symbol->before, why) < 0) || (symbol->next != LINK_NONE && push(self, candidate.place, why) < 0))
            return -1;
    }
    return 0;
}

int bpe_encode(struct bpe *self, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why)
{
    if (self->ignore_merges) {
        const int32_t id = trie_find(&self->vocabulary, piece, bytes);
        if (id >= 0)
            return token_ids_add(ids, id, why);
    }
    if (split(self, piece, bytes, why) < 0 || merge_symbols(self, why) < 0)
        return -1;
    for (uint32_t at = 0; at < self->symbol_count; at = self->symbols[at].next) {
        if (token_ids_add(ids, self->symbols[at].id, why) < 0)
            return -1;
        if (self->symbols[at].next == LINK_NONE)
            break;
    }
    return 0;
}
