#include "token_model.h"

#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "piece_cache.h"
#include "unigram.h"
#include "wordpiece_model.h"

struct token_model {
    struct wordpiece_model *wordpiece;
    struct bpe *bpe;
    struct unigram *unigram; /* one of the three */
    struct piece_cache cache;
};

static int open_engine(struct token_model *self, const cJSON *spec, struct reason *why)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(spec, "type"));
    /* Older files say no type. */
    if (!type && cJSON_GetObjectItemCaseSensitive(spec, "merges"))
        type = "BPE";
    else if (!type && cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(spec, "vocab")))
        type = "Unigram";
    else if (!type && cJSON_GetObjectItemCaseSensitive(spec, "max_input_chars_per_word"))
        type = "WordPiece";
    if (type && strcmp(type, "WordPiece") == 0)
        return (self->wordpiece = wordpiece_model_open(spec, why)) ? 0 : -1;
    if (type && strcmp(type, "BPE") == 0)
        return (self->bpe = bpe_open(spec, why)) ? 0 : -1;
    if (type && strcmp(type, "Unigram") == 0)
        return (self->unigram = unigram_open(spec, why)) ? 0 : -1;
    return fail(why, "type %s is not known; WordPiece, BPE and Unigram are", type ? type : "(none)");
}

struct token_model *token_model_open(const cJSON *spec, struct reason *why)
{
    struct token_model *self = calloc(1, sizeof *self);
    if (!self)
        fail(why, "out of memory");
    else if (open_engine(self, spec, why) == 0)
        return self;
    token_model_close(self);
    return NULL;
}

struct token_model *token_model_from_lines(const char *text, size_t bytes, const char *unknown, struct reason *why)
{
    struct token_model *self = calloc(1, sizeof *self);
    if (!self)
        fail(why, "out of memory");
    else if ((self->wordpiece = wordpiece_model_from_lines(text, bytes, unknown, why)))
        return self;
    token_model_close(self);
    return NULL;
}

void token_model_close(struct token_model *self)
{
    if (!self)
        return;
    wordpiece_model_close(self->wordpiece);
    bpe_close(self->bpe);
    unigram_close(self->unigram);
    free(self);
}

int32_t token_model_find(const struct token_model *self, const char *token)
{
    return self->wordpiece ? wordpiece_model_find(self->wordpiece, token) : self->bpe ? bpe_find(self->bpe, token) : unigram_find(self->unigram, token);
}

size_t token_model_ids(const struct token_model *self)
{
    return self->wordpiece ? wordpiece_model_ids(self->wordpiece) : self->bpe ? bpe_ids(self->bpe) : unigram_ids(self->unigram);
}

static int encode(struct token_model *self, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why)
{
    return self->wordpiece ? wordpiece_model_encode(self->wordpiece, piece, bytes, ids, why)
           : self->bpe     ? bpe_encode(self->bpe, piece, bytes, ids, why)
                           : unigram_encode(self->unigram, piece, bytes, ids, why);
}

int token_model_encode(struct token_model *self, const char *piece, size_t bytes, struct token_ids *ids, struct reason *why)
{
    if (bytes > PIECE_CACHE_BYTES)
        return encode(self, piece, bytes, ids, why);
    const struct piece_key key = piece_key(piece, bytes);
    struct cached_piece *place = piece_cache_place(&self->cache, key);
    if (piece_is_cached(place, key, bytes)) {
        if (GROW(ids->ids, ids->capacity, ids->count + PIECE_CACHE_IDS, why) < 0)
            return -1;
        memcpy(ids->ids + ids->count, place->ids, sizeof place->ids);
        ids->count += place->count;
        return 0;
    }
    const size_t before = ids->count;
    if (encode(self, piece, bytes, ids, why) < 0)
        return -1;
    const size_t count = ids->count - before;
    if (count <= PIECE_CACHE_IDS) {
        *place = (struct cached_piece){.key = key, .bytes = (uint16_t)bytes, .count = (uint16_t)count};
        if (count)
            memcpy(place->ids, ids->ids + before, count * sizeof *place->ids);
    }
    return 0;
}
