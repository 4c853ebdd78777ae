#include "tokenizer_options.h"

#include "atomic_file.h"
#include "whole_file.h"

static int read_file(const struct tokenizer_options *options, struct tokenizer_config *config, struct reason *why)
{
    struct whole_file file = {0};
    struct reason inner;
    int result = whole_file_read(options->config, &file, &inner) < 0 ||
                         tokenizer_config_read(config, (const char *)file.bytes, file.count, options->name, &inner) < 0
                     ? fail(why, "TOKENIZER_CONFIG=%.200s: %s", options->config, inner.text)
                     : 0;
    whole_file_free(&file);
    return result;
}

int tokenizer_options_load(const struct tokenizer_options *options, struct tokenizer *tokenizer, struct reason *why)
{
    struct reason inner;
    if (options->config ? read_file(options, &tokenizer->config, why) < 0 : 0)
        return -1;
    if (!options->config && tokenizer_config_default(&tokenizer->config, options->name ? options->name : "REMI", !options->no_programs, &inner) < 0)
        return fail(why, "TOKENIZER=%s", inner.text);
    for (size_t i = 0; i < options->set_count; i++)
        if (tokenizer_config_set(&tokenizer->config, options->sets[i], &inner) < 0)
            return fail(why, "--set %s", inner.text);
    return tokenizer_make(tokenizer, why);
}

int tokenizer_options_save(const struct tokenizer_options *options, const struct tokenizer *tokenizer, struct reason *why)
{
    struct text_buffer text = {0};
    tokenizer_config_write(&tokenizer->config, &text);
    struct atomic_file *file = text.failed ? NULL : atomic_file_open(options->save, why);
    if (file)
        atomic_file_write(file, text.bytes, text.count);
    int result = text.failed ? fail(why, "out of memory") : file ? atomic_file_commit(file, why) : -1;
    text_free(&text);
    return result;
}
