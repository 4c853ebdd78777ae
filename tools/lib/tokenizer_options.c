#include "tokenizer_options.h"

#include <stdio.h>

#include "atomic_file.h"
#include "whole_file.h"

/* What is wrong with a setting, by its name; a want of memory is no fault of the setting. */
static int fault_of(struct reason *why, const char *setting, const struct reason *inner)
{
    return is_out_of_memory(inner) ? fail(why, "%s", inner->text) : fail(why, "%.250s%s", setting, inner->text);
}

static int read_file(const struct tokenizer_options *options, struct tokenizer_config *config, struct reason *why)
{
    struct whole_file file = {0};
    struct reason inner;
    char setting[256];
    snprintf(setting, sizeof setting, "TOKENIZER_CONFIG=%.200s: ", options->config);
    int result = whole_file_read(options->config, &file, &inner) < 0 ||
                         tokenizer_config_read(config, (const char *)file.bytes, file.count, options->name, &inner) < 0
                     ? fault_of(why, setting, &inner)
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
        return fault_of(why, "TOKENIZER=", &inner);
    for (size_t i = 0; i < options->set_count; i++)
        if (tokenizer_config_set(&tokenizer->config, options->sets[i], &inner) < 0)
            return fault_of(why, "--set ", &inner);
    return tokenizer_make(tokenizer, why);
}

int tokenizer_options_report(const struct reason *why)
{
    if (!is_out_of_memory(why))
        return usage_error("%s", why->text);
    message(MESSAGE_ERROR, NULL, "%s", why->text);
    return 1;
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
