#include "subword_vocabulary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_entry(const cJSON *value, struct trie_entry *entry, struct reason *why)
{
    const size_t bytes = strlen(value->string);
    if (bytes > SUBWORD_BYTES)
        return fail(why, "vocab: a token of %zu bytes; at most %d are read", bytes, SUBWORD_BYTES);
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble < SUBWORD_IDS) || floor(value->valuedouble) != value->valuedouble)
        return fail(why, "vocab: the id of %s is not a whole number from 0 to %d", value->string, SUBWORD_IDS - 1);
    *entry = (struct trie_entry){value->string, bytes, (int32_t)value->valuedouble};
    return 0;
}

int subword_vocabulary_read(const cJSON *model, struct trie *trie, struct reason *why)
{
    const cJSON *vocabulary = cJSON_GetObjectItemCaseSensitive(model, "vocab"), *value;
    if (!cJSON_IsObject(vocabulary))
        return fail(why, "vocab is not a JSON object");
    size_t count = 0;
    struct trie_entry *entries = calloc((size_t)cJSON_GetArraySize(vocabulary) + 1, sizeof *entries);
    if (!entries)
        return fail(why, "out of memory");
    int result = 0;
    cJSON_ArrayForEach(value, vocabulary)
        if ((result = read_entry(value, &entries[count++], why)) < 0)
            break;
    if (result == 0)
        result = trie_build(trie, entries, count, why);
    free(entries);
    return result;
}

int subword_text(const cJSON *model, const char *name, const char **text, struct reason *why)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(model, name);
    *text = NULL;
    if (!value || cJSON_IsNull(value))
        return 0;
    if (!cJSON_IsString(value) || strlen(value->valuestring) > SUBWORD_BYTES)
        return fail(why, "%s is not a string of at most %d bytes", name, SUBWORD_BYTES);
    *text = value->valuestring;
    return 0;
}

int subword_flag(const cJSON *model, const char *name, int *flag, struct reason *why)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(model, name);
    *flag = cJSON_IsTrue(value);
    return value && !cJSON_IsNull(value) && !cJSON_IsBool(value) ? fail(why, "%s is not true or false", name) : 0;
}

void subword_byte_tokens(const struct trie *trie, int32_t ids[256])
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        const int length = snprintf(text, sizeof text, "<0x%02X>", byte);
        ids[byte] = trie_find(trie, text, (size_t)length);
    }
}
