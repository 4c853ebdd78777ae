#include "text_normalizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bert_normalizer.h"
#include "charsmap.h"
#include "model_json.h"
#include "unicode_bert.h"
#include "unicode_text.h"
#include "utf8.h"

static const char file[] = "tokenizer.json: normalizer";

enum { STEPS = 32 };

enum step_kind { BERT, LOWER_CASE, STRIP, PREPEND, REPLACE, REPLACE_SPACES, REPLACE_BLANKS, PRECOMPILED };

struct step {
    enum step_kind kind;
    struct bert_normalizer *bert;
    struct charsmap *charsmap;
    int left, right;     /* STRIP */
    char *from, *into;   /* REPLACE: a string by another; PREPEND: into; REPLACE_SPACES, REPLACE_BLANKS: two or more spaces, one or more blanks by `into` */
};

struct text_normalizer {
    struct step step[STEPS];
    size_t steps;
    struct text_buffer buffers[2];
};

/* ---- reading ---- */

static int copy_text(const char *text, char **copy, struct reason *why)
{
    return (*copy = strdup(text)) ? 0 : fail(why, "out of memory");
}

static int read_bert(const cJSON *spec, const struct bert_rules *replaced, struct step *step, struct reason *why)
{
    struct bert_rules rules;
    if (json_get_flag(spec, file, "clean_text", 1, &rules.clean, why) < 0 || json_get_flag(spec, file, "lowercase", 1, &rules.lower_case, why) < 0 ||
        json_get_flag(spec, file, "strip_accents", rules.lower_case, &rules.strip_accents, why) < 0 ||
        json_get_flag(spec, file, "handle_chinese_chars", 1, &rules.split_chinese, why) < 0)
        return -1;
    return (step->bert = bert_normalizer_open(replaced ? *replaced : rules)) ? 0 : fail(why, "out of memory");
}

static int read_replace(const cJSON *spec, struct step *step, struct reason *why)
{
    const cJSON *pattern = json_member(spec, "pattern");
    const char *text, *content, *expression;
    if (json_get_text(pattern, file, "String", NULL, &text, why) < 0 || json_get_text(pattern, file, "Regex", NULL, &expression, why) < 0 ||
        json_get_text(spec, file, "content", NULL, &content, why) < 0)
        return -1;
    if (!content || (!text && !expression) || (text && !*text))
        return fail(why, "%s: a Replace without pattern or content", file);
    if (expression && strcmp(expression, " {2,}") == 0)
        step->kind = REPLACE_SPACES;
    else if (expression && strcmp(expression, "\\s+") == 0)
        step->kind = REPLACE_BLANKS;
    else if (expression)
        return fail(why, "%s: Replace by the pattern %s is not known; \" {2,}\" and \"\\s+\" are", file, expression);
    if (text && copy_text(text, &step->from, why) < 0)
        return -1;
    return copy_text(content, &step->into, why);
}

static int read_step(const cJSON *spec, const char *type, const struct bert_rules *bert, struct step *step, struct reason *why)
{
    static const char *const names[] = {[BERT] = "BertNormalizer", [LOWER_CASE] = "Lowercase", [STRIP] = "Strip", [PREPEND] = "Prepend", [REPLACE] = "Replace",
                                        [REPLACE_SPACES] = "", [REPLACE_BLANKS] = "", [PRECOMPILED] = "Precompiled"};
    const char *text;
    size_t kind = 0;
    while (kind < sizeof names / sizeof *names && strcmp(names[kind], type) != 0)
        kind++;
    step->kind = (enum step_kind)kind;
    switch (kind) {
    case BERT: return read_bert(spec, bert, step, why);
    case LOWER_CASE: return 0;
    case STRIP:
        return json_get_flag(spec, file, "strip_left", 1, &step->left, why) < 0 ? -1 : json_get_flag(spec, file, "strip_right", 1, &step->right, why);
    case PREPEND: return json_get_text(spec, file, "prepend", "", &text, why) < 0 ? -1 : copy_text(text, &step->into, why);
    case REPLACE: return read_replace(spec, step, why);
    case PRECOMPILED:
        if (json_get_text(spec, file, "precompiled_charsmap", "", &text, why) < 0)
            return -1;
        return (step->charsmap = charsmap_open(text, why)) ? 0 : -1;
    default: return fail(why, "%s: %s is not known", file, *type ? type : "one without a type");
    }
}

static int add_steps(struct text_normalizer *self, const cJSON *spec, const struct bert_rules *bert, struct reason *why)
{
    const char *type;
    if (json_get_text(spec, file, "type", "", &type, why) < 0)
        return -1;
    if (strcmp(type, "Sequence") == 0) {
        const cJSON *entry;
        cJSON_ArrayForEach(entry, json_member(spec, "normalizers"))
            if (add_steps(self, entry, bert, why) < 0)
                return -1;
        return 0;
    }
    if (self->steps == STEPS)
        return fail(why, "%s: more than %d", file, STEPS);
    return read_step(spec, type, bert, &self->step[self->steps++], why);
}

/* Whether a step makes lower case, as sentence-transformers looks for it. */
static int lowers(const cJSON *spec)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(spec, "type"));
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_member(spec, "normalizers"))
        if (lowers(entry))
            return 1;
    return type && (strcmp(type, "Lowercase") == 0 || (strcmp(type, "BertNormalizer") == 0 && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "lowercase"))));
}

struct text_normalizer *text_normalizer_open(const cJSON *spec, const struct bert_rules *bert, int lower_first, struct reason *why)
{
    struct text_normalizer *self = calloc(1, sizeof *self);
    if (!self) {
        fail(why, "out of memory");
        return NULL;
    }
    if (lower_first && !(bert ? bert->lower_case : lowers(spec)))
        self->step[self->steps++].kind = LOWER_CASE;
    if (spec && !cJSON_IsNull(spec) && add_steps(self, spec, bert, why) < 0) {
        text_normalizer_close(self);
        return NULL;
    }
    return self;
}

void text_normalizer_close(struct text_normalizer *self)
{
    if (!self)
        return;
    for (size_t i = 0; i < self->steps; i++) {
        bert_normalizer_close(self->step[i].bert);
        charsmap_close(self->step[i].charsmap);
        free(self->step[i].from);
        free(self->step[i].into);
    }
    text_free(&self->buffers[0]);
    text_free(&self->buffers[1]);
    free(self);
}

/* ---- the steps ---- */

static void lower_case(const char *text, size_t bytes, struct text_buffer *into)
{
    for (size_t at = 0, length; at < bytes; at += length) {
        const uint32_t c = unicode_decode(text + at, &length);
        char out[4];
        text_add(into, out, utf8_encode(bert_lower_case(c), out));
        if (c == 0x130)
            text_add(into, "\xcc\x87", 2); /* U+0307 */
    }
}

static size_t leading_blanks(const char *text, size_t bytes)
{
    size_t at = 0, length;
    for (; at < bytes; at += length)
        if (!unicode_is_space(unicode_decode(text + at, &length)))
            break;
    return at;
}

/* Where the blanks at the end begin. */
static size_t trailing_blanks(const char *text, size_t bytes)
{
    size_t end = bytes, length;
    while (end) {
        size_t at = end - 1;
        while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
            at--;
        if (!unicode_is_space(unicode_decode(text + at, &length)))
            break;
        end = at;
    }
    return end;
}

static void replace_text(const struct step *step, const char *text, size_t bytes, struct text_buffer *into)
{
    const size_t wanted = strlen(step->from), content = strlen(step->into);
    for (size_t at = 0; at < bytes;) {
        const char *found = memmem(text + at, bytes - at, step->from, wanted);
        text_add(into, text + at, found ? (size_t)(found - text) - at : bytes - at);
        if (!found)
            break;
        text_add(into, step->into, content);
        at = (size_t)(found - text) + wanted;
    }
}

/* Runs of blanks: of spaces alone and two at least, or of any and one at least. */
static void replace_runs(const struct step *step, const char *text, size_t bytes, struct text_buffer *into)
{
    const int any = step->kind == REPLACE_BLANKS;
    for (size_t at = 0, run, length; at < bytes;) {
        if (any)
            run = leading_blanks(text + at, bytes - at);
        else
            for (run = 0; at + run < bytes && text[at + run] == ' ';)
                run++;
        if (run >= (any ? 1u : 2u)) {
            text_add_string(into, step->into);
            at += run;
        } else {
            unicode_decode(text + at, &length);
            text_add(into, text + at, length);
            at += length;
        }
    }
}

static void apply(const struct step *step, const char *text, size_t bytes, struct text_buffer *into)
{
    size_t begin = 0, end = bytes;
    switch (step->kind) {
    case BERT: bert_normalize(step->bert, text, bytes, into); break;
    case LOWER_CASE: lower_case(text, bytes, into); break;
    case STRIP:
        if (step->left)
            begin = leading_blanks(text, bytes);
        if (step->right)
            end = begin + trailing_blanks(text + begin, bytes - begin);
        text_add(into, text + begin, end - begin);
        break;
    case PREPEND:
        if (bytes)
            text_add_string(into, step->into);
        text_add(into, text, bytes);
        break;
    case REPLACE: replace_text(step, text, bytes, into); break;
    case REPLACE_SPACES: case REPLACE_BLANKS: replace_runs(step, text, bytes, into); break;
    case PRECOMPILED: charsmap_normalize(step->charsmap, text, bytes, into); break;
    }
}

const char *text_normalize(struct text_normalizer *self, const char *text, size_t bytes, size_t *count)
{
    static const char padding[TEXT_PADDING];
    struct text_buffer *into = &self->buffers[0];
    if (!self->steps) {
        text_clear(into);
        text_add(into, text, bytes);
    }
    for (size_t i = 0; i < self->steps; i++) {
        into = &self->buffers[i % 2];
        text_clear(into);
        apply(&self->step[i], text, bytes, into);
        text = into->bytes;
        bytes = into->count;
        if (into->failed)
            return NULL;
    }
    *count = into->count;
    text_add(into, padding, sizeof padding);
    return into->failed ? NULL : into->bytes;
}
