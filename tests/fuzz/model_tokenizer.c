/* The tokenizer of a model folder, and a text for it. The first byte says what the input is: tokenizer.json (0), vocab.txt (1), vocab.json (2) or merges.txt (3, with a vocab.json of its own); the text
 * follows behind a zero byte. Ids must be below what the tokenizer says, and no more of them than are allowed. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/lib/text_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 64 };
static const char *const names[] = {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt"};
static char folder[64];

static void put(const char *name, const void *bytes, size_t count)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, bytes, count) != (ssize_t)count || close(file) < 0)
        abort();
}

static void drop_all(void)
{
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

static void remove_folder(void)
{
    drop_all();
    rmdir(folder);
}

static void encode(struct text_tokenizer *tokenizer, const char *text, size_t bytes)
{
    int32_t ids[MOST];
    struct reason why;
    for (size_t most = text_tokenizer_added(tokenizer); most <= MOST; most += 7) {
        const long count = text_tokenizer_encode(tokenizer, text, bytes, most, ids, &why);
        if (count < 0)
            return;
        if ((size_t)count > most)
            abort();
        for (long i = 0; i < count; i++)
            if (ids[i] < 0 || (size_t)ids[i] >= text_tokenizer_ids(tokenizer))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer_settings settings = {.lower_case = 1, .strip_accents = -1, .split_chinese = 1};
    struct reason why;
    if (!*folder) {
        strcpy(folder, "/tmp/fuzz-tokenizer-XXXXXX");
        if (!mkdtemp(folder) || atexit(remove_folder))
            abort();
    }
    if (size < 2)
        return 0;
    const unsigned kind = data[0] % 4;
    const uint8_t *end = memchr(data + 1, 0, size - 1);
    const size_t count = end ? (size_t)(end - data) - 1 : size - 1;
    drop_all();
    put(names[kind], data + 1, count);
    if (kind == 2)
        put("merges.txt", "#version: 0.2\na b\n", 18);
    if (kind == 3)
        put("vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"<s>\":3,\"</s>\":4,\"<unk>\":5}", 48);
    strcpy(settings.class, kind == 0 ? "PreTrainedTokenizerFast" : kind == 1 ? "BertTokenizer" : "RobertaTokenizer");
    struct text_tokenizer *tokenizer = text_tokenizer_open(folder, &settings, &why);
    if (!tokenizer) {
        if (!why.text[0])
            abort();
        return 0;
    }
    /* A copy of exactly that size, so that a sanitizer sees any step beyond it. */
    const size_t bytes = end ? size - 2 - count : 0;
    char *text = malloc(bytes + !bytes);
    if (!text)
        abort();
    if (bytes)
        memcpy(text, end + 1, bytes);
    encode(tokenizer, text, bytes);
    free(text);
    text_tokenizer_close(tokenizer);
    return 0;
}
