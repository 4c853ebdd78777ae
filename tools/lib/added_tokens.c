#include "added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "unicode_text.h"

int added_tokens_put(struct added_tokens *tokens, const struct added_token *token, struct reason *why)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (strcmp(tokens->list[i].text, token->text) == 0)
            return 0;
    if (GROW(tokens->list, tokens->capacity, tokens->count + 1, why) < 0)
        return -1;
    struct added_token copy = *token;
    if (!(copy.text = strdup(token->text)))
        return fail(why, "out of memory");
    tokens->list[tokens->count++] = copy;
    return 0;
}

int added_tokens_build(struct added_tokens *tokens, struct reason *why)
{
    struct trie_entry *entries = calloc(tokens->count + 1, sizeof *entries);
    if (!entries)
        return fail(why, "out of memory");
    for (size_t i = 0; i < tokens->count; i++) {
        entries[i] = (struct trie_entry){tokens->list[i].text, strlen(tokens->list[i].text), (int32_t)i};
        tokens->begins[(unsigned char)tokens->list[i].text[0]] = 1;
    }
    const int result = trie_build(&tokens->trie, entries, tokens->count, why);
    free(entries);
    return result;
}

void added_tokens_free(struct added_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->list[i].text);
    free(tokens->list);
    trie_free(&tokens->trie);
    *tokens = (struct added_tokens){0};
}

/* The longest token at the start of these bytes; NULL if there is none. */
static const struct added_token *longest_at(const struct added_tokens *tokens, const char *bytes, size_t count, size_t *length)
{
    const struct added_token *found = NULL;
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < count && (node = trie_step(&tokens->trie, node, (unsigned char)bytes[i])) != TRIE_NONE; i++)
        if (tokens->trie.nodes[node].id >= 0) {
            found = &tokens->list[tokens->trie.nodes[node].id];
            *length = i + 1;
        }
    return found;
}

/* The character that ends where these bytes end. */
static size_t last_character(const char *text, size_t end)
{
    size_t at = end - 1;
    while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static int stands_alone(const char *text, size_t bytes, size_t begin, size_t end)
{
    size_t length;
    return (begin == 0 || !unicode_is_word(unicode_decode(text + last_character(text, begin), &length))) &&
           (end == bytes || !unicode_is_word(unicode_decode(text + end, &length)));
}

static size_t blanks_before(const char *text, size_t begin)
{
    size_t length;
    while (begin && unicode_is_space(unicode_decode(text + last_character(text, begin), &length)))
        begin = last_character(text, begin);
    return begin;
}

static size_t blanks_behind(const char *text, size_t bytes, size_t end)
{
    for (size_t length; end < bytes && unicode_is_space(unicode_decode(text + end, &length)); end += length)
        ;
    return end;
}

int added_tokens_next(const struct added_tokens *tokens, const char *text, size_t bytes, size_t from, size_t before, struct added_match *match)
{
    for (size_t at = from, length = 0; tokens->count && at < bytes; at++) {
        const struct added_token *token = tokens->begins[(unsigned char)text[at]] ? longest_at(tokens, text + at, bytes - at, &length) : NULL;
        if (!token)
            continue;
        if (token->single_word && !stands_alone(text, bytes, at, at + length)) {
            at += length - 1;
            continue;
        }
        const size_t begin = token->lstrip ? blanks_before(text, at) : at, end = token->rstrip ? blanks_behind(text, bytes, at + length) : at + length;
        *match = (struct added_match){token, begin > before ? begin : before, end, at + length};
        return 1;
    }
    return 0;
}
