#include "wordpiece_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "subword_vocabulary.h"
#include "utf8.h"

#define MOST_CHARACTERS 100 /* of a word, where the model does not say */

struct wordpiece_model {
    struct trie vocabulary;
    uint32_t later; /* where tokens begin that are not the first of a word: behind the prefix; TRIE_NONE: there are none */
    size_t most_characters;
    int32_t unknown;
};

static int finish(struct wordpiece_model *self, const char *unknown, const char *prefix, struct reason *why)
{
    self->later = trie_walk(&self->vocabulary, TRIE_ROOT, prefix, strlen(prefix));
    self->unknown = trie_find(&self->vocabulary, unknown, strlen(unknown));
    return self->unknown < 0 ? fail(why, "there is no %s", unknown) : 0;
}

static int read_model(struct wordpiece_model *self, const cJSON *model, struct reason *why)
{
    const cJSON *most = cJSON_GetObjectItemCaseSensitive(model, "max_input_chars_per_word");
    const char *unknown, *prefix;
    if (subword_text(model, "unk_token", &unknown, why) < 0 || subword_text(model, "continuing_subword_prefix", &prefix, why) < 0 ||
        subword_vocabulary_read(model, &self->vocabulary, why) < 0)
        return -1;
    if (most && (!cJSON_IsNumber(most) || !(most->valuedouble >= 0 && most->valuedouble <= 9007199254740992.0) || floor(most->valuedouble) != most->valuedouble))
        return fail(why, "max_input_chars_per_word is not a whole number");
    self->most_characters = most ? (size_t)most->valuedouble : MOST_CHARACTERS;
    return finish(self, unknown ? unknown : "[UNK]", prefix ? prefix : "##", why);
}

struct wordpiece_model *wordpiece_model_open(const cJSON *model, struct reason *why)
{
    struct wordpiece_model *self = calloc(1, sizeof *self);
    if (!self)
        fail(why, "out of memory");
    else if (read_model(self, model, why) == 0)
        return self;
    wordpiece_model_close(self);
    return NULL;
}

/* A line is a token, its number is the id; of equal ones the last counts. */
static int read_lines(struct wordpiece_model *self, const char *text, size_t bytes, struct reason *why)
{
    const size_t fault = utf8_first_fault(text, bytes);
    if (fault < bytes)
        return fail(why, "not UTF-8 at byte %zu", fault);
    struct trie_entry *entries = NULL;
    size_t count = 0, capacity = 0;
    int result = 0;
    for (const char *at = text, *end = text + bytes; at < end && result == 0;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        const char *next = newline ? newline + 1 : end;
        if (length && at[length - 1] == '\r')
            length--;
        if (length > SUBWORD_BYTES || count == SUBWORD_IDS)
            result = fail(why, "more than %d tokens, or one of more than %d bytes", SUBWORD_IDS, SUBWORD_BYTES);
        else if ((result = GROW(entries, capacity, count + 1, why)) == 0) {
            entries[count] = (struct trie_entry){at, length, (int32_t)count};
            count++;
        }
        at = next;
    }
    if (result == 0)
        result = trie_build(&self->vocabulary, entries, count, why);
    free(entries);
    return result;
}

struct wordpiece_model *wordpiece_model_from_lines(const char *text, size_t bytes, const char *unknown, struct reason *why)
{
    struct wordpiece_model *self = calloc(1, sizeof *self);
    if (!self)
        fail(why, "out of memory");
    else if (read_lines(self, text, bytes, why) == 0 && finish(self, unknown, "##", why) == 0) {
        self->most_characters = MOST_CHARACTERS;
        return self;
    }
    wordpiece_model_close(self);
    return NULL;
}

void wordpiece_model_close(struct wordpiece_model *self)
{
    if (self)
        trie_free(&self->vocabulary);
    free(self);
}

int32_t wordpiece_model_find(const struct wordpiece_model *self, const char *token)
{
    return trie_find(&self->vocabulary, token, strlen(token));
}

size_t wordpiece_model_ids(const struct wordpiece_model *self)
{
    return trie_ids(&self->vocabulary);
}

/* Whether there are more characters than the model takes. */
static int is_too_long(const struct wordpiece_model *self, const char *word, size_t bytes)
{
    if (bytes <= self->most_characters)
        return 0;
    size_t characters = 0;
    for (size_t i = 0; i < bytes; i++)
        characters += ((unsigned char)word[i] & 0xc0) != 0x80;
    return characters > self->most_characters;
}

/* The longest token at the start of these bytes: its length, 0 if there is none. */
static size_t longest_token(const struct trie *vocabulary, uint32_t node, const char *bytes, size_t count, int32_t *id)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        node = trie_step(vocabulary, node, (unsigned char)bytes[i]);
        if (node == TRIE_NONE)
            break;
        if (vocabulary->nodes[node].id >= 0) {
            *id = vocabulary->nodes[node].id;
            longest = i + 1;
        }
    }
    return longest;
}

int wordpiece_model_encode(const struct wordpiece_model *self, const char *word, size_t bytes, struct token_ids *ids, struct reason *why)
{
    const size_t before = ids->count;
    if (is_too_long(self, word, bytes))
        return token_ids_add(ids, self->unknown, why);
    uint32_t node = TRIE_ROOT;
    for (size_t at = 0, length; at < bytes; at += length, node = self->later) {
        int32_t id = -1;
        length = node == TRIE_NONE ? 0 : longest_token(&self->vocabulary, node, word + at, bytes - at, &id);
        if (!length) {
            ids->count = before;
            return token_ids_add(ids, self->unknown, why);
        }
        if (token_ids_add(ids, id, why) < 0)
            return -1;
    }
    return 0;
}
