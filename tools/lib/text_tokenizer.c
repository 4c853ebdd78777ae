#include "text_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "tokenizer_parts.h"
#include "utf8.h"

struct text_tokenizer {
    struct tokenizer_parts parts;
    struct token_ids ids; /* of the text at work, without the template's */
    size_t room;          /* ids that are wanted of it */
    int at_start;         /* nothing of it is tokenized yet */
};

struct text_tokenizer *text_tokenizer_open(const char *folder, const struct tokenizer_settings *settings, struct reason *why)
{
    struct text_tokenizer *self = calloc(1, sizeof *self);
    if (!self)
        fail(why, "out of memory");
    else if (tokenizer_parts_read(&self->parts, folder, settings, why) == 0)
        return self;
    text_tokenizer_close(self);
    return NULL;
}

void text_tokenizer_close(struct text_tokenizer *self)
{
    if (!self)
        return;
    tokenizer_parts_free(&self->parts);
    free(self->ids.ids);
    free(self);
}

/* ---- encoding ---- */

/* Text in which no added token is: split, and each piece to ids. */
static int take_pieces(struct text_tokenizer *self, const char *text, size_t bytes, struct reason *why)
{
    const struct pieces *pieces = text_split(self->parts.splitter, text, bytes, self->at_start);
    if (!pieces)
        return fail(why, "out of memory");
    for (size_t i = 0; i < pieces->count && self->ids.count < self->room; i++)
        if (token_model_encode(self->parts.model, pieces->text + pieces->list[i].begin, pieces->list[i].count, &self->ids, why) < 0)
            return -1;
    return 0;
}


/* Looks for added tokens; what stands between them goes to `take`. */
static int take_between(struct text_tokenizer *self, const struct added_tokens *tokens, const char *text, size_t bytes,
                        int (*take)(struct text_tokenizer *, const char *, size_t, struct reason *), struct reason *why)
{
    struct added_match match = {0};
    size_t before = 0;
    while (self->ids.count < self->room && added_tokens_next(tokens, text, bytes, match.resume, before, &match)) {
        if (before < match.begin && take(self, text + before, match.begin - before, why) < 0)
            return -1;
        self->at_start = 0;
        if (token_ids_add(&self->ids, match.token->id, why) < 0)
            return -1;
        before = match.end;
    }
    return before < bytes && self->ids.count < self->room ? take(self, text + before, bytes - before, why) : 0;
}

static int take_normalized(struct text_tokenizer *self, const char *text, size_t bytes, struct reason *why)
{
    const int result = take_pieces(self, text, bytes, why);
    self->at_start = 0;
    return result;
}

static int take_raw(struct text_tokenizer *self, const char *text, size_t bytes, struct reason *why)
{
    size_t count;
    const char *normal = text_normalize(self->parts.normalizer, text, bytes, &count);
    if (!normal)
        return fail(why, "out of memory");
    const int result = take_between(self, &self->parts.normalized, normal, count, take_normalized, why);
    self->at_start = 0;
    return result;
}

long text_tokenizer_encode(struct text_tokenizer *self, const char *text, size_t bytes, size_t max_tokens, int32_t *ids, struct reason *why)
{
    const struct token_ids *prefix = &self->parts.prefix, *suffix = &self->parts.suffix;
    const size_t fault = utf8_first_fault(text, bytes);
    if (fault < bytes)
        return fail(why, "not UTF-8 at byte %zu", fault);
    if (max_tokens < prefix->count + suffix->count)
        return fail(why, "the template alone has %zu tokens, %zu are allowed", prefix->count + suffix->count, max_tokens);
    self->room = max_tokens - prefix->count - suffix->count;
    self->ids.count = 0;
    self->at_start = 1;
    if (take_between(self, &self->parts.raw, text, bytes, take_raw, why) < 0)
        return -1;
    const size_t count = self->ids.count < self->room ? self->ids.count : self->room;
    int32_t *at = ids;
    for (size_t i = 0; i < prefix->count; i++)
        *at++ = prefix->ids[i];
    if (count)
        memcpy(at, self->ids.ids, count * sizeof *at);
    at += count;
    for (size_t i = 0; i < suffix->count; i++)
        *at++ = suffix->ids[i];
    return at - ids;
}

/* ---- what it is ---- */

size_t text_tokenizer_added(const struct text_tokenizer *self)
{
    return self->parts.prefix.count + self->parts.suffix.count;
}

static size_t more_ids(size_t ids, int32_t id)
{
    return id >= 0 && (size_t)id >= ids ? (size_t)id + 1 : ids;
}

size_t text_tokenizer_ids(const struct text_tokenizer *self)
{
    const struct added_tokens *added[] = {&self->parts.raw, &self->parts.normalized};
    const struct token_ids *around[] = {&self->parts.prefix, &self->parts.suffix};
    size_t ids = token_model_ids(self->parts.model);
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < added[i]->count; j++)
            ids = more_ids(ids, added[i]->list[j].id);
        for (size_t j = 0; j < around[i]->count; j++)
            ids = more_ids(ids, around[i]->ids[j]);
    }
    return ids;
}

int text_tokenizer_ends_special(const struct text_tokenizer *self)
{
    return self->parts.ends_special;
}

void text_tokenizer_hash(const struct text_tokenizer *self, struct hash_state *state)
{
    const struct tokenizer_settings *settings = &self->parts.settings;
    for (size_t i = 0; i < sizeof self->parts.files / sizeof *self->parts.files; i++) {
        hash_add(state, &self->parts.files[i].count, sizeof self->parts.files[i].count);
        if (self->parts.files[i].count)
            hash_add(state, self->parts.files[i].bytes, self->parts.files[i].count);
    }
    hash_add_string(state, settings->class);
    const int flags[] = {settings->lower_case, settings->strip_accents, settings->split_chinese, settings->lower_first, settings->prefix_space};
    hash_add(state, flags, sizeof flags);
    for (size_t i = 0; i < SPECIALS; i++) {
        const struct special_token *token = &settings->special[i];
        const int strips[] = {token->lstrip, token->rstrip, token->single_word};
        hash_add_string(state, token->text);
        hash_add(state, strips, sizeof strips);
    }
}
