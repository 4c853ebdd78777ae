#include "clean_text.h"

#include <stdint.h>
#include <utf8proc.h>

#include "utf8.h"

/* What Python's str.isspace says: the bidirectional classes WS, B and S, and the category Zs. */
static int is_space(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0x2028 || c == 0x2029 ||
           utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

static int is_kept(int32_t c)
{
    if (c == '_' || c == '.' || c == ',' || c == '!' || c == '?' || c == '-')
        return 1;
    utf8proc_category_t category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

/* Unicode's Cased and Case_Ignorable, for characters that is_kept lets through; others are never asked for. */
static int is_cased(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT || c == 0xaa ||
           c == 0xba || (c >= 0x2160 && c <= 0x217f); /* ordinal indicators, Roman numerals */
}

static int is_case_ignorable(int32_t c)
{
    return c == '.' || utf8proc_category(c) == UTF8PROC_CATEGORY_LM;
}

/* Text in lower case under construction. Whether Σ ends a word is known only when the next cased or uncased character comes: it is
 * written as σ first, and its last byte changed when the word turns out to end there (σ is cf 83, ς is cf 82). */
struct lower_case {
    struct text_buffer *out;
    int after_cased;    /* the last character that is not case-ignorable is cased */
    size_t final_sigma; /* offset behind a σ that is final unless something cased follows; 0: none */
};

static void end_word(struct lower_case *lower)
{
    if (lower->final_sigma && !lower->out->failed)
        lower->out->bytes[lower->final_sigma - 1] = (char)0x82;
    lower->final_sigma = 0;
}

static void add_lower(struct lower_case *lower, int32_t c)
{
    int after_cased = lower->after_cased;
    if (!is_case_ignorable(c)) {
        lower->after_cased = is_cased(c);
        if (lower->after_cased)
            lower->final_sigma = 0;
        else
            end_word(lower);
    }
    if (c == 0x130) { /* İ, the one character whose lower case is two */
        text_add_string(lower->out, "i\u0307");
        return;
    }
    char bytes[4];
    text_add(lower->out, bytes, utf8_encode((uint32_t)utf8proc_tolower(c), bytes));
    if (c == 0x3a3 && after_cased)
        lower->final_sigma = lower->out->count;
}

int clean_text(const char *text, size_t length, struct text_buffer *out, struct reason *why)
{
    size_t fault = utf8_first_fault(text, length);
    if (fault < length)
        return fail(why, "not UTF-8 at byte %zu", fault);
    struct lower_case lower = {.out = out};
    int started = 0, space = 0;
    for (size_t i = 0; i < length;) {
        int32_t c;
        i += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(length - i), &c);
        if (is_space(c)) {
            space = started;
            continue;
        }
        if (space)
            add_lower(&lower, ' ');
        started = 1;
        space = 0;
        if (is_kept(c))
            add_lower(&lower, c);
    }
    end_word(&lower);
    return out->failed ? fail(why, "out of memory") : 0;
}
