/* The tokenizer of a model folder, and a text for it. The first byte says what the input is: tokenizer.json (0), vocab.txt (1), vocab.json (2) or merges.txt (3, with a vocab.json of its own); the text
 * follows behind a zero byte. Ids must be below what the tokenizer says, and no more of them than are allowed. */
#include "../../tools/lib/text_tokenizer.h"
#include "memory_files.h"
#include "target.h"

enum { MOST = 64 };
static const char *const paths[] = {"m/tokenizer.json", "m/vocab.txt", "m/vocab.json", "m/merges.txt"};

static void encode(struct text_tokenizer *tokenizer, const char *text, size_t bytes)
{
    int32_t ids[MOST];
    struct reason why;
    const size_t known = text_tokenizer_ids(tokenizer);
    const size_t least = text_tokenizer_added(tokenizer), limits[] = {least, least + 1, least + 5, MOST};
    for (size_t limit = 0; limit < 4 && limits[limit] <= MOST; limit++) {
        const size_t most = limits[limit];
        const long count = text_tokenizer_encode(tokenizer, text, bytes, most, ids, &why);
        if (count < 0)
            return;
        REQUIRE((size_t)count <= most);
        for (long i = 0; i < count; i++)
            REQUIRE(ids[i] >= 0 && (size_t)ids[i] < known);
    }
}

static void put_files(unsigned kind, const uint8_t *text, size_t count)
{
    static const char merges[] = "#version: 0.2\na b\n", words[] = "{\"a\":0,\"b\":1,\"ab\":2,\"<s>\":3,\"</s>\":4,\"<unk>\":5}";
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        memory_file_put(paths[i], NULL, 0);
    memory_file_put(paths[kind], text, count);
    if (kind == 2)
        memory_file_put(paths[3], merges, sizeof merges - 1);
    if (kind == 3)
        memory_file_put(paths[2], words, sizeof words - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer_settings settings = {.lower_case = 1, .strip_accents = -1, .split_chinese = 1};
    struct reason why;
    if (size < 2)
        return 0;
    const unsigned kind = data[0] % 4;
    const uint8_t *end = memchr(data + 1, 0, size - 1);
    const size_t count = end ? (size_t)(end - data) - 1 : size - 1;
    put_files(kind, data + 1, count);
    strcpy(settings.class, kind == 0 ? "PreTrainedTokenizerFast" : kind == 1 ? "BertTokenizer" : "RobertaTokenizer");
    struct text_tokenizer *tokenizer = text_tokenizer_open("m", &settings, &why);
    REQUIRE(tokenizer || why.text[0]);
    if (!tokenizer)
        return 0;
    const size_t bytes = end ? size - 2 - count : 0;
    uint8_t *text = fuzz_copy(end ? end + 1 : data, bytes);
    encode(tokenizer, (const char *)text, bytes);
    free(text);
    text_tokenizer_close(tokenizer);
    return 0;
}
