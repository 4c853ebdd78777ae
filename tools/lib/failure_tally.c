#include "failure_tally.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Whether a number begins at `at`: not where it ends a name, as in UTF-8 or f32. */
static int is_number(const char *reason, const char *at)
{
    const char *before = at > reason && at[-1] == '-' ? at - 1 : at;
    return isdigit((unsigned char)*at) && !(before > reason && isalnum((unsigned char)before[-1]));
}

/* What many failures have in common. Within quotes stands the name of a file, which may hold quotes itself. */
static char *common_part(const char *reason)
{
    char *text = malloc(strlen(reason) + 1), *out = text;
    const char *at = reason, *quote = strstr(reason, " \""), *last = strrchr(reason, '"');
    while (text && *at) {
        if (at == quote && last > quote + 1) {
            at = last + 1;
        } else if (is_number(reason, at)) {
            *out++ = 'N';
            at += strspn(at, "0123456789");
        } else {
            *out++ = *at++;
        }
    }
    if (text)
        *out = 0;
    return text;
}

static struct failure *find(struct failure_tally *tally, const char *stage, const char *reason)
{
    for (size_t i = 0; i < tally->count; i++)
        if (strcmp(tally->failures[i].stage, stage) == 0 && strcmp(tally->failures[i].reason, reason) == 0)
            return &tally->failures[i];
    return NULL;
}

int failure_tally_add(struct failure_tally *tally, const char *stage, const char *reason, struct reason *why)
{
    char *text = common_part(reason);
    struct failure *known = text ? find(tally, stage, text) : NULL;
    if (text && !known && tally->count >= TALLY_REASONS) {
        free(text);
        text = strdup("other reasons");
        known = text ? find(tally, "", text) : NULL;
        stage = "";
    }
    if (known) {
        known->count++;
        free(text);
        return 0;
    }
    char *copy = text ? strdup(stage) : NULL;
    if (!copy) {
        free(text);
        return fail(why, "out of memory");
    }
    tally->failures[tally->count++] = (struct failure){copy, text, 1};
    return 0;
}

static int more_frequent(const void *a, const void *b)
{
    const struct failure *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    int order = strcmp(x->stage, y->stage);
    return order ? order : strcmp(x->reason, y->reason);
}

void failure_tally_sort(struct failure_tally *tally)
{
    qsort(tally->failures, tally->count, sizeof *tally->failures, more_frequent);
}

void failure_tally_free(struct failure_tally *tally)
{
    for (size_t i = 0; i < tally->count; i++) {
        free(tally->failures[i].stage);
        free(tally->failures[i].reason);
    }
    *tally = (struct failure_tally){0};
}
