#include "text_splitter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "model_json.h"
#include "text_normalizer.h"
#include "unicode_bert.h"
#include "unicode_text.h"
#include "utf8.h"

static const char file[] = "tokenizer.json: pre_tokenizer";

enum { STEPS = 16, CODE_POINTS = 0x110000 };
enum prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

enum step_kind { BERT, WHITE_SPACE, METASPACE, BYTE_LEVEL };

struct step {
    enum step_kind kind;
    char replacement[8]; /* METASPACE: of a space */
    enum prepend prepend;
    int split;           /* METASPACE: at the replacement; BYTE_LEVEL: by its pattern */
    int prefix_space;    /* BYTE_LEVEL */
};

struct text_splitter {
    struct step step[STEPS];
    size_t steps;
    unsigned char *word_classes, *byte_classes; /* [CODE_POINTS], of split_words and of split_bytes; 0: not looked up yet */
    char byte_texts[256][4];     /* the character that stands for a byte, and */
    unsigned char byte_bytes[256]; /* its length */
    struct text_buffer text[2];
    struct pieces pieces[2];
    size_t capacity[2];
    struct pieces *into;         /* at work */
    struct text_buffer *into_text;
    size_t *into_capacity;
    int failed;
};

/* ---- reading ---- */

static int read_metaspace(const cJSON *spec, struct step *step, struct reason *why)
{
    const char *replacement, *scheme;
    int prefix;
    size_t length;
    if (json_get_text(spec, file, "replacement", "\xe2\x96\x81", &replacement, why) < 0 || json_get_text(spec, file, "prepend_scheme", NULL, &scheme, why) < 0 ||
        json_get_flag(spec, file, "add_prefix_space", 1, &prefix, why) < 0 || json_get_flag(spec, file, "split", 1, &step->split, why) < 0)
        return -1;
    length = strlen(replacement);
    if (!length || utf8_sequence_length(replacement, length) != length)
        return fail(why, "%s: Metaspace's replacement is not one character", file);
    strcpy(step->replacement, replacement);
    if (!scheme)
        step->prepend = prefix ? PREPEND_ALWAYS : PREPEND_NEVER;
    else if (strcmp(scheme, "always") == 0)
        step->prepend = PREPEND_ALWAYS;
    else if (strcmp(scheme, "first") == 0)
        step->prepend = PREPEND_FIRST;
    else if (strcmp(scheme, "never") == 0)
        step->prepend = PREPEND_NEVER;
    else
        return fail(why, "%s: prepend_scheme %s is not known", file, scheme);
    return 0;
}

static int read_step(const cJSON *spec, const char *type, struct step *step, struct reason *why)
{
    static const char *const names[] = {[BERT] = "BertPreTokenizer", [WHITE_SPACE] = "WhitespaceSplit", [METASPACE] = "Metaspace", [BYTE_LEVEL] = "ByteLevel"};
    for (size_t kind = 0; kind < sizeof names / sizeof *names; kind++) {
        if (strcmp(names[kind], type) != 0)
            continue;
        step->kind = (enum step_kind)kind;
        if (kind == METASPACE)
            return read_metaspace(spec, step, why);
        if (kind == BYTE_LEVEL)
            return json_get_flag(spec, file, "add_prefix_space", 1, &step->prefix_space, why) < 0 ? -1 : json_get_flag(spec, file, "use_regex", 1, &step->split, why);
        return 0;
    }
    return fail(why, "%s: %s is not known", file, *type ? type : "one without a type");
}

static int add_steps(struct text_splitter *self, const cJSON *spec, struct reason *why)
{
    const char *type;
    if (json_get_text(spec, file, "type", "", &type, why) < 0)
        return -1;
    if (strcmp(type, "Sequence") == 0) {
        const cJSON *entry;
        cJSON_ArrayForEach(entry, json_member(spec, "pretokenizers"))
            if (add_steps(self, entry, why) < 0)
                return -1;
        return 0;
    }
    if (self->steps == STEPS)
        return fail(why, "%s: more than %d", file, STEPS);
    return read_step(spec, type, &self->step[self->steps++], why);
}

/* Bytes that are printable in Latin-1 stand for themselves, the others for the characters from U+0100 on. */
static void name_bytes(struct text_splitter *self)
{
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; byte++) {
        const int printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
        self->byte_bytes[byte] = (unsigned char)utf8_encode(printable ? byte : next++, self->byte_texts[byte]);
    }
}

struct text_splitter *text_splitter_open(const cJSON *spec, struct reason *why)
{
    struct text_splitter *self = calloc(1, sizeof *self);
    if (!self || !(self->word_classes = calloc(CODE_POINTS, 1)) || !(self->byte_classes = calloc(CODE_POINTS, 1)))
        fail(why, "out of memory");
    else if (!spec || cJSON_IsNull(spec) || add_steps(self, spec, why) == 0) {
        name_bytes(self);
        return self;
    }
    text_splitter_close(self);
    return NULL;
}

void text_splitter_close(struct text_splitter *self)
{
    if (!self)
        return;
    for (int i = 0; i < 2; i++) {
        text_free(&self->text[i]);
        free(self->pieces[i].list);
    }
    free(self->word_classes);
    free(self->byte_classes);
    free(self);
}

/* ---- pieces ---- */

static void add_piece(struct text_splitter *self, size_t begin, size_t end)
{
    struct reason unused;
    struct pieces *into = self->into;
    if (begin == end)
        return;
    if (GROW(into->list, *self->into_capacity, into->count + 1, &unused) < 0) {
        self->failed = 1;
        return;
    }
    into->list[into->count++] = (struct piece){begin, end - begin};
}

/* ---- BertPreTokenizer, WhitespaceSplit: pieces of the same text ---- */

enum { IN_WORD = 1, BLANK, ALONE }; /* classes; 0: not looked up yet */

static unsigned char classify(struct text_splitter *self, uint32_t c)
{
    if (!self->word_classes[c])
        self->word_classes[c] = unicode_is_space(c) ? BLANK : bert_kind(c) & BERT_PUNCTUATION ? ALONE : IN_WORD;
    return self->word_classes[c];
}

static void split_words(struct text_splitter *self, int punctuation, const char *text, struct piece piece)
{
    const size_t end = piece.begin + piece.count;
    size_t word = piece.begin;
    for (size_t at = piece.begin, length; at < end; at += length) {
        const unsigned char class = classify(self, unicode_decode(text + at, &length));
        if (class == IN_WORD || (class == ALONE && !punctuation))
            continue;
        add_piece(self, word, at);
        if (class == ALONE)
            add_piece(self, at, at + length);
        word = at + length;
    }
    add_piece(self, word, end);
}

/* ---- Metaspace: a visible character for each space, at which words begin ---- */

static void split_metaspace(struct text_splitter *self, const struct step *step, const char *text, struct piece piece, int first)
{
    struct text_buffer *into = self->into_text;
    const size_t mark = strlen(step->replacement), start = into->count;
    const char *from = text + piece.begin;
    const int marked = from[0] == ' ' || (piece.count >= mark && memcmp(from, step->replacement, mark) == 0);
    if (!marked && (step->prepend == PREPEND_ALWAYS || (step->prepend == PREPEND_FIRST && first)))
        text_add(into, step->replacement, mark);
    size_t word = start;
    for (size_t at = 0, length; at < piece.count; at += length) {
        unicode_decode(from + at, &length);
        const int space = from[at] == ' ';
        if (step->split && (space || (length == mark && memcmp(from + at, step->replacement, mark) == 0))) {
            add_piece(self, word, into->count);
            word = into->count;
        }
        text_add(into, space ? step->replacement : from + at, space ? mark : length);
    }
    add_piece(self, word, into->count);
}

/* ---- ByteLevel: words with the space before them, numbers, signs and blanks; each byte as a visible character ---- */

static enum unicode_class class_of(struct text_splitter *self, uint32_t c)
{
    if (!self->byte_classes[c])
        self->byte_classes[c] = (unsigned char)(unicode_class(c) + 1);
    return (enum unicode_class)(self->byte_classes[c] - 1);
}

/* 's 't 're 've 'm 'll 'd */
static size_t contraction(const char *text, size_t bytes)
{
    static const char *const ends[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    for (size_t i = 0; text[0] == '\'' && i < sizeof ends / sizeof *ends; i++)
        if (bytes > strlen(ends[i]) && memcmp(text + 1, ends[i], strlen(ends[i])) == 0)
            return 1 + strlen(ends[i]);
    return 0;
}

/* The bytes of the characters of one class from here on; *last: of the last one of them. */
static size_t class_run(struct text_splitter *self, const char *text, size_t bytes, enum unicode_class class, size_t *last)
{
    size_t at = 0, length;
    for (*last = 0; at < bytes; at += length) {
        if (class_of(self, unicode_decode(text + at, &length)) != class)
            break;
        *last = length;
    }
    return at;
}

/* What the pattern of ByteLevel matches here:
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t pattern_match(struct text_splitter *self, const char *text, size_t bytes)
{
    size_t length = contraction(text, bytes), last;
    if (length)
        return length;
    const size_t space = text[0] == ' ' && bytes > 1;
    const enum unicode_class class = class_of(self, unicode_decode(text + space, &length));
    if (class != UNICODE_SPACE)
        return space + class_run(self, text + space, bytes - space, class, &last);
    length = class_run(self, text, bytes, UNICODE_SPACE, &last);
    return length < bytes && length > last ? length - last : length; /* the last blank goes with what is behind it */
}

static void add_bytes(struct text_splitter *self, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        text_add(self->into_text, self->byte_texts[(unsigned char)text[i]], self->byte_bytes[(unsigned char)text[i]]);
}

static void split_bytes(struct text_splitter *self, const struct step *step, const char *text, struct piece piece)
{
    struct text_buffer *into = self->into_text;
    const char *from = text + piece.begin;
    size_t at = 0, begin = into->count;
    if (step->prefix_space && from[0] != ' ') {
        /* The space before the text is matched with what follows it, unless that is blank: then it is a blank before a blank. */
        size_t length, last, used;
        add_bytes(self, " ", 1);
        const enum unicode_class class = class_of(self, unicode_decode(from, &length));
        if (!step->split)
            used = piece.count;
        else if (class != UNICODE_SPACE)
            used = class_run(self, from, piece.count, class, &last);
        else {
            used = class_run(self, from, piece.count, UNICODE_SPACE, &last);
            used = used < piece.count ? used - last : used;
        }
        add_bytes(self, from, used);
        add_piece(self, begin, into->count);
        at = used;
    }
    while (at < piece.count) {
        const size_t length = step->split ? pattern_match(self, from + at, piece.count - at) : piece.count - at;
        begin = into->count;
        add_bytes(self, from + at, length);
        add_piece(self, begin, into->count);
        at += length;
    }
}

/* ---- all steps ---- */

static void apply(struct text_splitter *self, const struct step *step, const struct pieces *from, int at_start)
{
    static const char padding[TEXT_PADDING];
    const int rewrites = step->kind == METASPACE || step->kind == BYTE_LEVEL;
    self->into_text = &self->text[from->text == self->text[0].bytes]; /* not the one that is read */
    if (rewrites)
        text_clear(self->into_text);
    for (size_t i = 0; i < from->count; i++) {
        const struct piece piece = from->list[i];
        switch (step->kind) {
        case BERT: split_words(self, 1, from->text, piece); break;
        case WHITE_SPACE: split_words(self, 0, from->text, piece); break;
        case METASPACE: split_metaspace(self, step, from->text, piece, at_start && piece.begin == 0); break;
        case BYTE_LEVEL: split_bytes(self, step, from->text, piece); break;
        }
    }
    if (rewrites)
        text_add(self->into_text, padding, sizeof padding);
    self->into->text = rewrites ? self->into_text->bytes : from->text;
}

const struct pieces *text_split(struct text_splitter *self, const char *text, size_t bytes, int at_start)
{
    struct pieces *whole = &self->pieces[1];
    self->failed = 0;
    self->into = whole;
    self->into_capacity = &self->capacity[1];
    whole->count = 0;
    whole->text = text;
    add_piece(self, 0, bytes);
    for (size_t i = 0; i < self->steps && !self->failed; i++) {
        self->into = &self->pieces[i % 2];
        self->into_capacity = &self->capacity[i % 2];
        self->into->count = 0;
        apply(self, &self->step[i], &self->pieces[(i + 1) % 2], at_start);
        self->failed |= self->into_text->failed;
    }
    return self->failed ? NULL : self->into;
}
