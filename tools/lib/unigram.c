#include "unigram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "subword_vocabulary.h"
#include "utf8.h"

#define UNKNOWN_PENALTY 10.0 /* below the least probable token */

/* The best split of the bytes before a place: its score, and where its last token begins. */
struct best { double score; size_t begin; int32_t id; }; /* id: of that token */

#define NO_BEGIN SIZE_MAX

struct token_span { size_t begin, end; int32_t id; };

struct unigram {
    struct trie vocabulary;
    double *scores; /* [tokens] */
    size_t count;
    double unknown_score;
    int32_t unknown; /* -1: none */
    int byte_fallback;
    int32_t byte_tokens[256];

    struct best *best; /* [bytes + 1] of the piece at work */
    size_t best_capacity;
    struct token_span *spans; /* its tokens, from the last one */
    size_t span_count, span_capacity;
};

/* ---- opening ---- */

static int read_token(struct unigram *self, const cJSON *value, struct trie_entry *entry, struct reason *why)
{
    const size_t id = self->count;
    const cJSON *text = cJSON_IsArray(value) ? value->child : NULL, *score = text ? text->next : NULL;
    if (!cJSON_IsString(text) || !cJSON_IsNumber(score) || score->next || !isfinite(score->valuedouble))
        return fail(why, "vocab: entry %zu is not a token and its score", id + 1);
    const size_t bytes = strlen(text->valuestring);
    if (bytes > SUBWORD_BYTES)
        return fail(why, "vocab: a token of %zu bytes; at most %d are read", bytes, SUBWORD_BYTES);
    *entry = (struct trie_entry){text->valuestring, bytes, (int32_t)id};
    self->scores[self->count++] = score->valuedouble;
    return 0;
}

static int read_tokens(struct unigram *self, const cJSON *model, struct reason *why)
{
    const cJSON *vocabulary = cJSON_GetObjectItemCaseSensitive(model, "vocab"), *value;
    if (!cJSON_IsArray(vocabulary))
        return fail(why, "vocab is not a list of tokens and scores");
    const size_t count = (size_t)cJSON_GetArraySize(vocabulary);
    if (count > SUBWORD_IDS)
        return fail(why, "vocab: %zu tokens; at most %d are read", count, SUBWORD_IDS);
    struct trie_entry *entries = calloc(count + 1, sizeof *entries);
    self->scores = calloc(count + 1, sizeof *self->scores);
    int result = entries && self->scores ? 0 : fail(why, "out of memory");
    if (result == 0)
        cJSON_ArrayForEach(value, vocabulary)
            if ((result = read_token(self, value, &entries[self->count], why)) < 0)
                break;
    if (result == 0)
        result = trie_build(&self->vocabulary, entries, count, why);
    free(entries);
    return result;
}

static int read_settings(struct unigram *self, const cJSON *model, struct reason *why)
{
    const cJSON *unknown = cJSON_GetObjectItemCaseSensitive(model, "unk_id");
    self->unknown = -1;
    if (unknown && !cJSON_IsNull(unknown)) {
        if (!cJSON_IsNumber(unknown) || !(unknown->valuedouble >= 0 && unknown->valuedouble < (double)self->count) ||
            floor(unknown->valuedouble) != unknown->valuedouble)
            return fail(why, "unk_id is not the id of a token");
        self->unknown = (int32_t)unknown->valuedouble;
    }
    double least = INFINITY;
    for (size_t i = 0; i < self->count; i++)
        least = self->scores[i] < least ? self->scores[i] : least;
    self->unknown_score = least - UNKNOWN_PENALTY;
    subword_byte_tokens(&self->vocabulary, self->byte_tokens);
    return subword_flag(model, "byte_fallback", &self->byte_fallback, why);
}

struct unigram *unigram_open(const cJSON *model, struct reason *why)
{
    struct unigram *self = calloc(1, sizeof *self);
    if (!self) {
        fail(why, "out of memory");
        return NULL;
    }
    if (read_tokens(self, model, why) < 0 || read_settings(self, model, why) < 0) {
        unigram_close(self);
        return NULL;
    }
    return self;
}

void unigram_close(struct unigram *self)
{
    if (!self)
        return;
    trie_free(&self->vocabulary);
    free(self->scores);
    free(self->best);
    free(self->spans);
    free(self);
}

int32_t unigram_find(const struct unigram *self, const char *token)
{
    return trie_find(&self->vocabulary, token, strlen(token));
}

size_t unigram_ids(const struct unigram *self)
{
    return trie_ids(&self->vocabulary);
}

/* ---- the best split ---- */

/* A token from `begin` to `end`: of equal scores the one that was found first stays. */
static void offer(struct best *best, size_t begin, size_t end, double score, int32_t id)
{
    if (best[end].begin == NO_BEGIN || score > best[end].score)
        best[end] = (struct best){score, begin, id};
}

static int find_best(struct unigram *self, const char *piece, size_t bytes, struct reason *why)
{
    if (GROW(self->best, self->best_capacity, bytes + 1, why) < 0)
        return -1;
    struct best *best = self->best;
    for (size_t i = 0; i <= bytes; i++)
        best[i] = (struct best){0, NO_BEGIN, 0};
    for (size_t at = 0, length; at < bytes; at += length) {
        const double here = best[at].score;
        int whole_character = 0; /* whether it is a token */
        if (!(length = utf8_sequence_length(piece + at, bytes - at)))
            return fail(why, "not UTF-8 at byte %zu", at);
        uint32_t node = TRIE_ROOT;
        for (size_t end = at; end < bytes;) {
            if ((node = trie_step(&self->vocabulary, node, (unsigned char)piece[end])) == TRIE_NONE)
                break;
            end++;
            const int32_t id = self->vocabulary.nodes[node].id;
            if (id < 0)
                continue;
            offer(best, at, end, self->scores[id] + here, id);
            whole_character |= end - at == length;
        }
        if (whole_character)
            continue;
        if (self->unknown < 0)
            return fail(why, "a character is not in the vocabulary, and the model has no unk_id");
        offer(best, at, at + length, self->unknown_score + here, self->unknown);
    }
    return 0;
}

/* From the end backwards; neighbouring unknown ones become one. */
static int collect_spans(struct unigram *self, size_t bytes, struct reason *why)
{
    self->span_count = 0;
    for (size_t end = bytes; end;) {
        const struct best *best = &self->best[end];
        struct token_span *last = self->span_count ? &self->spans[self->span_count - 1] : NULL;
        if (last && best->id == self->unknown && last->id == self->unknown) {
            last->begin = best->begin;
        } else {
            if (GROW(self->spans, self->span_capacity, self->span_count + 1, why) < 0)
                return -1;
            self->spans[self->span_count++] = (struct token_span){best->begin, end, best->id};
        }
        end = best->begin;
    }
    return 0;
}

/* What is unknown may still be a token as a whole, or as its bytes. */
static int add_unknown(struct unigram *self, const char *text, size_t bytes, struct token_ids *ids, struct reason *why)
{
    const int32_t whole = trie_find(&self->vocabulary, text, bytes);
    int known = self->byte_fallback;
    if (whole >= 0)
        return token_ids_add(ids, whole, why);
    for (size_t i = 0; i < bytes && known; i++)
        known = self->byte_tokens[(unsigned char)text[i]] >= 0;
    if (!known)
        return token_ids_add(ids, self->unknown, why);
    for (size_t i = 0; i < bytes; i++)
        if (token_ids_add(ids, self->byte_tokens[(unsigned char)text[i]], why) < 0)
            return -1;
    return 0;
}

int unigram_encode(struct unigram *self, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why)
{
    if (!bytes)
        return 0;
    if (find_best(self, piece, bytes, why) < 0 || collect_spans(self, bytes, why) < 0)
        return -1;
    for (size_t i = self->span_count; i-- > 0;) {
        const struct token_span *span = &self->spans[i];
        const int result = span->id == self->unknown ? add_unknown(self, piece + span->begin, span->end - span->begin, ids, why)
                                                     : token_ids_add(ids, span->id, why);
        if (result < 0)
            return -1;
    }
    return 0;
}
