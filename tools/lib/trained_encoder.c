#include "trained_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "whole_file.h"

int trained_encoder_open(struct trained_encoder *trained, const char *config_path, const struct tokenizer *tokenizer, struct reason *why)
{
    struct whole_file file = {0};
    if (!config_path || tokenizer->config.tokenization == AMT)
        return 0;
    int result = whole_file_read(config_path, &file, why);
    if (result == 0)
        result = trained_model_open((const char *)file.bytes, file.count, &tokenizer->vocabulary, &trained->model, why);
    if (result == 0)
        trained->file = hash_bytes(file.bytes, file.count);
    whole_file_free(&file);
    return result;
}

int trained_encoder_cuts(const struct trained_encoder *trained, const struct tokenizer_config *config)
{
    return trained->model && config->encode_ids_split != SPLIT_NO;
}

void trained_encoder_sign(const struct trained_encoder *trained, struct text_buffer *text)
{
    char hex[HASH_HEX + 1];
    if (!trained->model)
        return;
    hash_to_hex(trained->file, hex);
    text_printf(text, " trained model of %s", hex);
}

int trained_encoder_encode(struct trained_encoder *trained, struct encoder *encoder, const struct tokenizer *tokenizer, const struct midi_file *file, long sequence,
                           size_t most, struct token_list *out, struct reason *why)
{
    if (!trained->model)
        return encoder_encode(encoder, tokenizer, sequence, most, out, why);
    struct token_list *base = &trained->base;
    struct token_words *words = &trained->words;
    base->count = trained->subwords.count = 0;
    base->want_times = 1;
    if (encoder_encode(encoder, tokenizer, sequence, most, base, why) < 0 ||
        token_words_find(words, tokenizer, file, &encoder->score, base->ids, base->times, base->count, why) < 0)
        return -1;
    size_t begin = 0;
    for (size_t i = 0; i < words->count; i++) {
        if (trained_model_encode(trained->model, base->ids + begin, words->ends[i] - begin, &trained->subwords, why) < 0)
            return -1;
        begin = words->ends[i];
    }
    size_t count = trained->subwords.count;
    if (GROW(out->ids, out->capacity, out->count + count, why) < 0)
        return -1;
    if (count > 0)
        memcpy(out->ids + out->count, trained->subwords.ids, count * sizeof *out->ids);
    out->count += count;
    return 0;
}

void trained_encoder_free(struct trained_encoder *trained)
{
    trained_model_close(trained->model);
    free(trained->base.ids);
    free(trained->base.times);
    free(trained->subwords.ids);
    token_words_free(&trained->words);
    *trained = (struct trained_encoder){0};
}
