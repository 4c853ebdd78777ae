/* Prints what a configuration comes to: vocabulary_driver vocabulary|config FILE|NAME [field=value…]. FILE: a tokenizer.json; NAME: a tokenization's
 * defaults with programs, -NAME: without. The vocabulary goes out name by name, one line each, columns divided by empty lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/lib/message.h"
#include "../tools/lib/text_buffer.h"
#include "../tools/lib/vocabulary.h"
#include "../tools/lib/whole_file.h"

static struct tokenizer_config config;

static int load(const char *source, struct reason *why)
{
    struct whole_file file = {0};
    if (!strchr(source, '.'))
        return tokenizer_config_default(&config, source + (*source == '-'), *source != '-', why);
    int result = whole_file_read(source, &file, why) < 0 ? -1 : tokenizer_config_read(&config, (const char *)file.bytes, file.count, "REMI", why);
    whole_file_free(&file);
    return result;
}

int main(int argc, char **argv)
{
    struct reason why;
    struct vocabulary vocabulary = {0};
    if (argc < 3 || message_init(argv[0]) < 0)
        return 2;
    int result = load(argv[2], &why);
    for (int i = 3; i < argc && result == 0; i++)
        result = tokenizer_config_set(&config, argv[i], &why);
    if (result < 0 || tokenizer_config_settle(&config, &why) < 0 || (strcmp(argv[1], "config") != 0 && vocabulary_make(&vocabulary, &config, &why) < 0)) {
        message(MESSAGE_ERROR, argv[2], "%s", why.text);
        vocabulary_free(&vocabulary);
        return 1;
    }
    if (strcmp(argv[1], "config") == 0) {
        struct text_buffer text = {0};
        tokenizer_config_write(&config, &text);
        fwrite(text.bytes, 1, text.count, stdout);
        text_free(&text);
    }
    for (int column = 0; column < vocabulary.column_count; column++) {
        if (column > 0)
            puts("");
        for (int32_t id = 0; vocabulary_name(&vocabulary, column, id); id++)
            puts(vocabulary_name(&vocabulary, column, id));
    }
    vocabulary_free(&vocabulary);
    return fflush(stdout) ? 1 : 0;
}
