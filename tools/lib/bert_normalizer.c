#include "bert_normalizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "unicode_bert.h"
#include "unicode_text.h"
#include "utf8.h"

enum { DROPPED = 0x80 }; /* no ASCII character becomes it */
enum { CODE_POINTS = 0x110000, UNSEEN = 0, COPIED, WORKED }; /* what becomes of a code point: it stays as it is, or work is needed */

/* A mark of a combining class other than 0, which waits until the order of its neighbours is known. */
struct mark { uint32_t class_and_place, c; };

struct bert_normalizer {
    struct bert_rules rules;
    unsigned char ascii[128]; /* what a character becomes; DROPPED: nothing */
    unsigned char *seen;      /* [CODE_POINTS] */
    struct mark *marks;
    size_t mark_count, mark_capacity;
    struct text_buffer *into;
};

struct bert_normalizer *bert_normalizer_open(struct bert_rules rules)
{
    struct bert_normalizer *self = calloc(1, sizeof *self);
    if (!self || !(self->seen = calloc(CODE_POINTS, 1))) {
        free(self);
        return NULL;
    }
    self->rules = rules;
    for (uint32_t c = 0; c < 128; c++) {
        const unsigned kind = rules.clean ? bert_kind(c) : 0;
        self->ascii[c] = (unsigned char)(kind & BERT_UNWANTED ? DROPPED : kind & BERT_SPACE ? ' ' : rules.lower_case && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return self;
}

void bert_normalizer_close(struct bert_normalizer *self)
{
    if (!self)
        return;
    free(self->seen);
    free(self->marks);
    free(self);
}

static void put(struct bert_normalizer *self, uint32_t c)
{
    char bytes[4];
    text_add(self->into, bytes, utf8_encode(c, bytes));
}

static void put_cased(struct bert_normalizer *self, uint32_t c)
{
    put(self, self->rules.lower_case ? bert_lower_case(c) : c);
    if (c == 0x130 && self->rules.lower_case)
        put(self, 0x307);
}

/* ---- accents: canonical decomposition without nonspacing marks ---- */

static int by_class(const void *a, const void *b)
{
    const struct mark *left = a, *right = b;
    return left->class_and_place < right->class_and_place ? -1 : left->class_and_place > right->class_and_place;
}

/* Canonical order: ascending class, equal ones as they came. */
static void put_marks(struct bert_normalizer *self)
{
    if (self->mark_count > 1)
        qsort(self->marks, self->mark_count, sizeof *self->marks, by_class);
    for (size_t i = 0; i < self->mark_count; i++)
        put_cased(self, self->marks[i].c);
    self->mark_count = 0;
}

static void hold_mark(struct bert_normalizer *self, uint32_t c, unsigned class)
{
    enum { PLACES = 1 << 24 };
    struct reason unused;
    if (self->mark_count == PLACES - 1)
        put_marks(self);
    if (GROW(self->marks, self->mark_capacity, self->mark_count + 1, &unused) < 0) {
        self->into->failed = 1;
        return;
    }
    self->marks[self->mark_count] = (struct mark){(uint32_t)class * PLACES + (uint32_t)self->mark_count, c};
    self->mark_count++;
}

/* Nonspacing marks are dropped; one of class 0 still parts the marks before it from those behind it. */
static void take_stripped(struct bert_normalizer *self, uint32_t c)
{
    uint32_t parts[BERT_PARTS];
    const size_t count = bert_decompose(c, parts);
    for (size_t i = 0; i < count; i++) {
        const unsigned class = bert_combining_class(parts[i]);
        const int dropped = (bert_kind(parts[i]) & BERT_NONSPACING) != 0;
        if (class == 0)
            put_marks(self);
        if (!dropped && class != 0)
            hold_mark(self, parts[i], class);
        else if (!dropped)
            put_cased(self, parts[i]);
    }
}

/* ---- one code point ---- */

static void take(struct bert_normalizer *self, uint32_t c)
{
    const unsigned kind = bert_kind(c);
    if (self->rules.clean && (kind & BERT_UNWANTED))
        return;
    const int alone = (kind & BERT_CHINESE) && self->rules.split_chinese;
    if (self->rules.clean && (kind & BERT_SPACE)) {
        put_marks(self);
        put(self, ' ');
        return;
    }
    if (alone) {
        put_marks(self);
        put(self, ' ');
    }
    if (self->rules.strip_accents)
        take_stripped(self, c);
    else
        put_cased(self, c);
    if (alone) {
        put_marks(self);
        put(self, ' ');
    }
}

static int is_copied(const struct bert_normalizer *self, uint32_t c)
{
    uint32_t parts[BERT_PARTS];
    if ((bert_kind(c) & ~(unsigned)BERT_PUNCTUATION) || (self->rules.lower_case && (bert_lower_case(c) != c || c == 0x130)))
        return 0;
    return !self->rules.strip_accents || (bert_decompose(c, parts) == 1 && parts[0] == c && bert_combining_class(c) == 0);
}

/* A run of ASCII, which takes no more bytes than it has. */
static size_t take_ascii(struct bert_normalizer *self, const char *text, size_t bytes)
{
    char out[256];
    size_t at = 0, count = 0;
    for (; at < bytes && at < sizeof out && (unsigned char)text[at] < 0x80; at++) {
        const unsigned char c = self->ascii[(unsigned char)text[at]];
        out[count] = (char)c;
        count += c != DROPPED;
    }
    if (count)
        put_marks(self);
    text_add(self->into, out, count);
    return at;
}

void bert_normalize(struct bert_normalizer *self, const char *text, size_t bytes, struct text_buffer *into)
{
    self->into = into;
    self->mark_count = 0;
    for (size_t at = 0, length; at < bytes; at += length) {
        if ((unsigned char)text[at] < 0x80) {
            length = take_ascii(self, text + at, bytes - at);
            continue;
        }
        const uint32_t c = unicode_decode(text + at, &length);
        if (self->seen[c] == UNSEEN)
            self->seen[c] = is_copied(self, c) ? COPIED : WORKED;
        if (self->seen[c] == COPIED) {
            put_marks(self);
            text_add(into, text + at, length);
        } else {
            take(self, c);
        }
    }
    put_marks(self);
}
