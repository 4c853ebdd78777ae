/* tokenizer.json: what is read can be written, and what is written is read as the same; every name of the vocabulary is found. */
#include "../../tools/lib/tokenizer_config.h"
#include "../../tools/lib/vocabulary.h"
#include "target.h"

static void check_writing(const struct tokenizer_config *config)
{
    static struct tokenizer_config again;
    static struct text_buffer text, text_again;
    struct reason why;
    text_clear(&text);
    text_clear(&text_again);
    tokenizer_config_write(config, &text);
    REQUIRE(!text.failed && tokenizer_config_read(&again, text.bytes, text.count, NULL, &why) == 0 && tokenizer_config_settle(&again, &why) == 0);
    tokenizer_config_write(&again, &text_again);
    REQUIRE(text.count == text_again.count && memcmp(text.bytes, text_again.bytes, text.count) == 0);
}

static void check_vocabulary(const struct tokenizer_config *config)
{
    struct vocabulary vocabulary = {0};
    struct reason why;
    if (config->tokenization != AMT && vocabulary_make(&vocabulary, config, &why) == 0)
        for (int column = 0; column < vocabulary.column_count; column++)
            for (size_t id = 0; id < vocabulary.columns[column].count; id += 1 + id / 8) {
                const char *name = vocabulary_name(&vocabulary, column, (int32_t)id);
                REQUIRE(name && vocabulary_find(&vocabulary, column, name) >= 0);
            }
    vocabulary_free(&vocabulary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer_config config;
    struct reason why;
    uint8_t *copy = fuzz_copy(data, size);
    int read = tokenizer_config_read(&config, (const char *)copy, size, "TSD", &why);
    free(copy);
    if (read < 0 || tokenizer_config_settle(&config, &why) < 0)
        return 0;
    if (fuzz_now_and_then(data, size, 8))
        check_writing(&config);
    if (fuzz_now_and_then(data, size, 4))
        check_vocabulary(&config);
    return 0;
}
