#include "text_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "model_json.h"
#include "whole_file.h"
#include "wordpiece.h"

struct text_tokenizer {
    struct wordpiece *wordpiece;
    struct wordpiece_settings settings;
    struct whole_file vocabulary;
    size_t ids;
};

static void set_token(struct added_token *token, const char *text, const char *otherwise)
{
    snprintf(token->text, sizeof token->text, "%.63s", *text ? text : otherwise);
}

static int read_folder(struct text_tokenizer *self, const char *folder, const struct tokenizer_settings *from, struct reason *why)
{
    char path[MODEL_PATH];
    struct reason inner;
    struct wordpiece_settings *settings = &self->settings;
    if (strcmp(from->class, "") != 0 && strncmp(from->class, "Bert", 4) != 0)
        return fail(why, "tokenizer_config.json: tokenizer_class %s is not known; BertTokenizer is", from->class);
    if (model_file(folder, "vocab.txt", path, why) < 0)
        return -1;
    if (whole_file_read(path, &self->vocabulary, &inner) < 0)
        return fail(why, "vocab.txt: %s", inner.text);
    settings->lower_case = from->lower_case || from->lower_first;
    settings->strip_accents = from->strip_accents < 0 ? from->lower_case : from->strip_accents;
    settings->split_chinese = from->split_chinese;
    set_token(&settings->unknown, from->unknown, "[UNK]");
    set_token(&settings->first, from->first, "[CLS]");
    set_token(&settings->last, from->last, "[SEP]");
    settings->added_count = 5;
    set_token(&settings->added[0], from->unknown, "[UNK]");
    set_token(&settings->added[1], from->first, "[CLS]");
    set_token(&settings->added[2], from->last, "[SEP]");
    set_token(&settings->added[3], from->padding, "[PAD]");
    set_token(&settings->added[4], from->mask, "[MASK]");
    self->wordpiece = wordpiece_open((const char *)self->vocabulary.bytes, self->vocabulary.count, SIZE_MAX, settings, why);
    for (size_t i = 0; i < self->vocabulary.count; i++)
        self->ids += self->vocabulary.bytes[i] == '\n' || i + 1 == self->vocabulary.count;
    return self->wordpiece ? 0 : -1;
}

struct text_tokenizer *text_tokenizer_open(const char *folder, const struct tokenizer_settings *settings, struct reason *why)
{
    struct text_tokenizer *self = calloc(1, sizeof *self);
    if (!self)
        fail(why, "out of memory");
    else if (read_folder(self, folder, settings, why) == 0)
        return self;
    text_tokenizer_close(self);
    return NULL;
}

void text_tokenizer_close(struct text_tokenizer *self)
{
    if (!self)
        return;
    wordpiece_close(self->wordpiece);
    whole_file_free(&self->vocabulary);
    free(self);
}

long text_tokenizer_encode(struct text_tokenizer *self, const char *text, size_t bytes, size_t max_tokens, int32_t *ids, struct reason *why)
{
    return wordpiece_encode(self->wordpiece, text, bytes, max_tokens, ids, why);
}

size_t text_tokenizer_added(const struct text_tokenizer *self)
{
    return self ? 2 : 0;
}

size_t text_tokenizer_ids(const struct text_tokenizer *self)
{
    return self->ids;
}

int text_tokenizer_ends_special(const struct text_tokenizer *self)
{
    return self != NULL;
}

void text_tokenizer_hash(const struct text_tokenizer *self, struct hash_state *state)
{
    hash_add(state, self->vocabulary.bytes, self->vocabulary.count);
    hash_add(state, &self->settings, sizeof self->settings);
}
