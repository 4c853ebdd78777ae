#include "wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "unicode_bert.h"
#include "utf8.h"

enum { WORD_CHARACTERS = 100, WORD_BYTES = 4 * WORD_CHARACTERS }; /* a longer word is unknown */
enum { ROOT_FIRST, ROOT_LATER, ROOTS };                           /* the tries of pieces that begin a word, and of those that go on ("##…") */
#define NODES_MOST (1u << 24)

struct edge { uint32_t key, child; }; /* key: node << 8 | byte; child 0: free (no edge leads to a root) */

/* A word that is being collected, as UTF-8. Marks of a combining class other than 0 wait until their order is known. */
struct word {
    char bytes[WORD_BYTES + 4];
    size_t count, characters;
    uint32_t marks[WORD_CHARACTERS];
    size_t mark_count;
};

struct wordpiece {
    struct wordpiece_settings settings;
    struct edge *edges; /* hash table */
    uint32_t mask;
    int32_t *piece;     /* [nodes]: id of the piece that ends there, or -1 */
    uint32_t nodes;
    int32_t unknown, first, last, added[WORDPIECE_ADDED]; /* ids; -1: not in the vocabulary */
    unsigned char begins_added[256];                      /* first bytes of added tokens */
    unsigned char ascii_kind[128], ascii_lower[128];
    struct word word;
    int32_t *ids; /* of the text at work */
    size_t count, room;
};

/* ---- the vocabulary as two tries ---- */

static struct edge *find_edge(const struct wordpiece *self, uint32_t node, unsigned char byte)
{
    const uint32_t key = node << 8 | byte;
    uint32_t at = key * 2654435761u;
    for (at ^= at >> 15;; at++) {
        struct edge *edge = &self->edges[at & self->mask];
        if (!edge->child || edge->key == key)
            return edge;
    }
}

static void insert(struct wordpiece *self, uint32_t node, const char *bytes, size_t count, int32_t id)
{
    for (size_t i = 0; i < count; i++) {
        struct edge *edge = find_edge(self, node, (unsigned char)bytes[i]);
        if (!edge->child)
            *edge = (struct edge){node << 8 | (unsigned char)bytes[i], self->nodes++};
        node = edge->child;
    }
    self->piece[node] = id;
}

/* The id of a whole token, as it stands in the vocabulary; -1 if it is not there. */
static int32_t find_token(const struct wordpiece *self, const char *token)
{
    uint32_t node = ROOT_FIRST;
    for (; *token; token++)
        if (!(node = find_edge(self, node, (unsigned char)*token)->child))
            return -1;
    return self->piece[node];
}

static int allocate_tries(struct wordpiece *self, size_t bytes, struct reason *why)
{
    if (bytes >= NODES_MOST / 2)
        return fail(why, "vocab.txt: %zu bytes are more than a vocabulary has", bytes);
    uint32_t slots = 1024;
    while (slots < 2 * bytes)
        slots *= 2;
    self->mask = slots - 1;
    self->edges = calloc(slots, sizeof *self->edges);
    self->piece = malloc((bytes + ROOTS) * sizeof *self->piece);
    if (!self->edges || !self->piece)
        return fail(why, "out of memory");
    memset(self->piece, 0xff, (bytes + ROOTS) * sizeof *self->piece);
    self->nodes = ROOTS;
    return 0;
}

/* A line is a token, its number is the id; of equal ones the last counts. */
static int read_vocabulary(struct wordpiece *self, const char *text, size_t bytes, size_t limit, struct reason *why)
{
    if (allocate_tries(self, bytes, why) < 0)
        return -1;
    size_t fault = utf8_first_fault(text, bytes), line = 0;
    if (fault < bytes)
        return fail(why, "vocab.txt: not UTF-8 at byte %zu", fault);
    for (const char *at = text, *end = text + bytes; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        const char *next = newline ? newline + 1 : end;
        if (length && at[length - 1] == '\r')
            length--;
        if (line >= limit)
            return fail(why, "vocab.txt: more than the %zu tokens that config.json allows for", limit);
        if (length > 2 && memcmp(at, "##", 2) == 0)
            insert(self, ROOT_LATER, at + 2, length - 2, (int32_t)line);
        else
            insert(self, ROOT_FIRST, at, length, (int32_t)line);
        at = next;
    }
    self->piece[ROOT_FIRST] = -1; /* an empty line is no piece */
    return 0;
}

static int find_special_tokens(struct wordpiece *self, struct reason *why)
{
    const struct { const struct added_token *token; int32_t *id; } needed[] = {
        {&self->settings.unknown, &self->unknown}, {&self->settings.first, &self->first}, {&self->settings.last, &self->last}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if ((*needed[i].id = find_token(self, needed[i].token->text)) < 0)
            return fail(why, "vocab.txt: there is no %s", needed[i].token->text);
    for (size_t i = 0; i < self->settings.added_count; i++) {
        self->added[i] = find_token(self, self->settings.added[i].text);
        if (self->added[i] >= 0)
            self->begins_added[(unsigned char)self->settings.added[i].text[0]] = 1;
    }
    return 0;
}

struct wordpiece *wordpiece_open(const char *vocabulary, size_t bytes, size_t limit, const struct wordpiece_settings *settings, struct reason *why)
{
    struct wordpiece *self = calloc(1, sizeof *self);
    if (!self) {
        fail(why, "out of memory");
        return NULL;
    }
    self->settings = *settings;
    for (uint32_t c = 0; c < 128; c++) {
        self->ascii_kind[c] = (unsigned char)bert_kind(c);
        self->ascii_lower[c] = (unsigned char)(settings->lower_case && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (read_vocabulary(self, vocabulary, bytes, limit, why) < 0 || find_special_tokens(self, why) < 0) {
        wordpiece_close(self);
        return NULL;
    }
    return self;
}

void wordpiece_close(struct wordpiece *self)
{
    if (!self)
        return;
    free(self->edges);
    free(self->piece);
    free(self);
}

/* ---- a word to pieces ---- */

static void add_id(struct wordpiece *self, int32_t id)
{
    if (self->count < self->room)
        self->ids[self->count++] = id;
}

/* The longest piece at the start of these bytes: its length, 0 if there is none. */
static size_t longest_piece(const struct wordpiece *self, uint32_t node, const char *bytes, size_t count, int32_t *id)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        node = find_edge(self, node, (unsigned char)bytes[i])->child;
        if (!node)
            break;
        if (self->piece[node] >= 0) {
            *id = self->piece[node];
            longest = i + 1;
        }
    }
    return longest;
}

/* Greedy from the left; a word with an unknown part is unknown as a whole. */
static void add_pieces(struct wordpiece *self, const char *bytes, size_t count)
{
    const size_t before = self->count;
    uint32_t root = ROOT_FIRST;
    for (size_t at = 0; at < count; root = ROOT_LATER) {
        int32_t id = -1;
        size_t length = longest_piece(self, root, bytes + at, count - at, &id);
        if (!length) {
            self->count = before;
            add_id(self, self->unknown);
            return;
        }
        add_id(self, id);
        at += length;
    }
}

static void append(struct word *word, uint32_t c)
{
    if (word->characters++ < WORD_CHARACTERS)
        word->count += utf8_encode(c, word->bytes + word->count);
}

static void append_marks(struct word *word)
{
    for (size_t i = 0; i < word->mark_count; i++)
        append(word, word->marks[i]);
    word->mark_count = 0;
}

/* Canonical order: ascending class, equal ones as they came. */
static void hold_mark(struct word *word, uint32_t mark)
{
    if (word->mark_count == WORD_CHARACTERS)
        append_marks(word); /* the word is too long already, so their order is of no account */
    size_t at = word->mark_count++;
    for (; at && bert_combining_class(word->marks[at - 1]) > bert_combining_class(mark); at--)
        word->marks[at] = word->marks[at - 1];
    word->marks[at] = mark;
}

static void end_word(struct wordpiece *self)
{
    struct word *word = &self->word;
    append_marks(word);
    if (word->characters > WORD_CHARACTERS)
        add_id(self, self->unknown);
    else if (word->characters)
        add_pieces(self, word->bytes, word->count);
    word->count = word->characters = 0;
}

/* ---- text to words ---- */

/* A code point as normalization leaves it. */
static void take_normal(struct wordpiece *self, uint32_t c, unsigned kind)
{
    if (kind & BERT_PUNCTUATION) {
        char bytes[4];
        end_word(self);
        add_pieces(self, bytes, utf8_encode(c, bytes));
        return;
    }
    append_marks(&self->word);
    append(&self->word, c);
}

static void take_cased(struct wordpiece *self, uint32_t c)
{
    const uint32_t lower = self->settings.lower_case ? bert_lower_case(c) : c;
    take_normal(self, lower, bert_kind(lower));
    if (c == 0x130 && self->settings.lower_case)
        take_normal(self, 0x307, 0);
}

/* NFD without nonspacing marks. Those are dropped; one of class 0 still parts the marks before it from those behind it. */
static void take_stripped(struct wordpiece *self, uint32_t c)
{
    uint32_t parts[BERT_PARTS];
    const size_t count = bert_decompose(c, parts);
    for (size_t i = 0; i < count; i++) {
        const int dropped = (bert_kind(parts[i]) & BERT_NONSPACING) != 0;
        if (bert_combining_class(parts[i]) == 0)
            append_marks(&self->word);
        if (!dropped && bert_combining_class(parts[i]) != 0)
            hold_mark(&self->word, parts[i]);
        else if (!dropped)
            take_cased(self, parts[i]);
    }
}

static void take(struct wordpiece *self, uint32_t c)
{
    const unsigned kind = bert_kind(c);
    if (kind & BERT_UNWANTED)
        return;
    const int alone = (kind & BERT_CHINESE) && self->settings.split_chinese;
    if (alone || (kind & BERT_SPACE))
        end_word(self);
    if (kind & BERT_SPACE)
        return;
    if (self->settings.strip_accents)
        take_stripped(self, c);
    else
        take_cased(self, c);
    if (alone)
        end_word(self);
}

static void take_ascii(struct wordpiece *self, unsigned char c)
{
    switch (self->ascii_kind[c]) {
    case 0: take_normal(self, self->ascii_lower[c], 0); break;
    case BERT_SPACE: end_word(self); break;
    case BERT_PUNCTUATION: take_normal(self, c, BERT_PUNCTUATION); break;
    default: break;
    }
}

/* The longest added token here: its length, 0 if there is none. */
static size_t added_here(const struct wordpiece *self, const char *bytes, size_t count, int32_t *id)
{
    size_t longest = 0;
    for (size_t i = 0; i < self->settings.added_count; i++) {
        size_t length = strlen(self->settings.added[i].text);
        if (self->added[i] >= 0 && length > longest && length <= count && memcmp(bytes, self->settings.added[i].text, length) == 0) {
            longest = length;
            *id = self->added[i];
        }
    }
    return longest;
}

/* Decodes the sequence of `length` bytes; the text is known to be UTF-8. */
static uint32_t decode(const char *bytes, size_t length)
{
    static const unsigned char leading[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)bytes[0] & leading[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | ((unsigned char)bytes[i] & 0x3f);
    return c;
}

static size_t take_next(struct wordpiece *self, const char *text, size_t bytes)
{
    const unsigned char c = (unsigned char)*text;
    int32_t id = -1;
    size_t length = self->begins_added[c] ? added_here(self, text, bytes, &id) : 0;
    if (length) {
        end_word(self);
        add_id(self, id);
    } else if (c < 0x80) {
        take_ascii(self, c);
        length = 1;
    } else {
        length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        take(self, decode(text, length));
    }
    return length;
}

long wordpiece_encode(struct wordpiece *self, const char *text, size_t bytes, size_t max_tokens, int32_t *ids, struct reason *why)
{
    const size_t fault = utf8_first_fault(text, bytes);
    if (fault < bytes)
        return fail(why, "not UTF-8 at byte %zu", fault);
    self->ids = ids;
    self->room = max_tokens - 1; /* the last one is kept free for [SEP] */
    self->count = 0;
    add_id(self, self->first);
    for (size_t at = 0; at < bytes && self->count < self->room;)
        at += take_next(self, text + at, bytes - at);
    end_word(self);
    ids[self->count] = self->last;
    return (long)self->count + 1;
}
