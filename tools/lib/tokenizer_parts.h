/* What a tokenizer is made of, read from a model folder; a part of text_tokenizer.h. */
#ifndef REPRISE_TOKENIZER_PARTS_H
#define REPRISE_TOKENIZER_PARTS_H

#include "added_tokens.h"
#include "text_normalizer.h"
#include "text_splitter.h"
#include "text_tokenizer.h"
#include "token_ids.h"
#include "token_model.h"
#include "whole_file.h"

struct tokenizer_parts {
    struct text_normalizer *normalizer;
    struct text_splitter *splitter;
    struct token_model *model;
    struct added_tokens raw, normalized; /* found in the text as it came, and in its normalized form */
    struct token_ids prefix, suffix;     /* what the template puts around a text */
    int ends_special;
    struct whole_file files[2];          /* what all of this was read from, and */
    struct tokenizer_settings settings;  /* with which settings: for the hash */
};

/* 0, or -1 with `why`, which names the file; then too tokenizer_parts_free is needed. */
int tokenizer_parts_read(struct tokenizer_parts *parts, const char *folder, const struct tokenizer_settings *settings, struct reason *why)
    __attribute__((warn_unused_result));
void tokenizer_parts_free(struct tokenizer_parts *parts);

#endif
