#include "text_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "half_floats.h"
#include "text_buffer.h"
#include "text_tokenizer.h"
#include "utf8.h"
#include "whole_file.h"

enum { LINES_AT_A_TIME = 4096 }; /* what is held in memory, and within which identical lines are computed once */

/* The next line of a file: without its end, which is LF or CR LF, and without the file's byte order mark. */
struct line { const char *text; size_t bytes, number; };

static int next_line(const struct whole_file *file, size_t *at, struct line *line)
{
    if (*at >= file->count)
        return 0;
    if (*at == 0)
        *at = utf8_mark((const char *)file->bytes, file->count);
    const char *text = (const char *)file->bytes + *at, *newline = memchr(text, '\n', file->count - *at);
    *line = (struct line){text, newline ? (size_t)(newline - text) : file->count - *at, line->number + 1};
    *at += line->bytes + (newline ? 1 : 0);
    if (newline && line->bytes && text[line->bytes - 1] == '\r')
        line->bytes--;
    return 1;
}

static size_t count_lines(const struct whole_file *file)
{
    struct line line = {0};
    for (size_t at = 0; next_line(file, &at, &line);)
        ;
    return line.number;
}

/* NumPy's format 1.0: magic, version, length of what follows, a Python dictionary, filled up with spaces to a multiple of 64. */
static void write_npy_header(struct atomic_file *file, int bytes, size_t rows, size_t columns)
{
    enum { HEADER = 128, BEFORE = 10 };
    char header[HEADER];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\1\0", 8);
    header[8] = HEADER - BEFORE; /* little-endian, 16 bits */
    header[9] = 0;
    int used = snprintf(header + BEFORE, sizeof header - BEFORE, "{'descr': '<f%d', 'fortran_order': False, 'shape': (%zu, %zu), }", bytes, rows, columns);
    header[BEFORE + used] = ' ';
    header[HEADER - 1] = '\n';
    atomic_file_write(file, header, sizeof header);
}

/* The next lines as token_batch_add takes them. 1, 0 at the file's end, -1 with `why`. */
static int take_lines(struct embedder *embedder, const struct whole_file *texts, size_t *at, struct line *line, struct reason *why)
{
    const struct model_folder *model = embedder->model;
    token_batch_clear(&embedder->texts);
    while (embedder->texts.texts < LINES_AT_A_TIME && next_line(texts, at, line)) {
        struct reason problem;
        if (token_batch_add(&embedder->texts, model->tokenizer, model->prompt, line->text, line->bytes, model->max_tokens, &problem) != 0)
            return fail(why, "line %zu: %s", line->number, problem.text);
    }
    return embedder->texts.texts > 0;
}

/* The rows that a text file becomes: lines, or their tokens. */
static int count_rows(struct embedder *embedder, const struct whole_file *texts, size_t *rows, struct reason *why)
{
    struct line line = {0};
    int more = 1;
    *rows = 0;
    if (embedder->model->result == MODEL_EMBEDDINGS) {
        *rows = count_lines(texts);
        return 0;
    }
    for (size_t at = 0; (more = take_lines(embedder, texts, &at, &line, why)) > 0;)
        for (size_t i = 0; i < embedder->texts.texts; i++)
            *rows += token_batch_tokens(&embedder->texts, i);
    return more;
}

static void write_rows(struct embedder *embedder, struct atomic_file *file, size_t text)
{
    const size_t distinct = embedder->texts.distinct_of[text], first = embedder_rows_before(embedder, &embedder->texts, distinct), width = embedder_width(embedder);
    const float *rows = embedder->distinct + first * width;
    const size_t count = (embedder_rows_before(embedder, &embedder->texts, distinct + 1) - first) * width;
    if (!embedder->model->half) {
        atomic_file_write(file, rows, count * sizeof *rows);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const uint16_t half = f16_from_float(rows[i]);
        atomic_file_write(file, &half, sizeof half);
    }
}

static int embed_file(struct embedder *embedder, const struct whole_file *texts, struct atomic_file *file, struct reason *why)
{
    struct line line = {0};
    size_t rows;
    int more = 1;
    if (count_rows(embedder, texts, &rows, why) < 0)
        return -1;
    write_npy_header(file, embedder->model->half ? 2 : 4, rows, embedder_width(embedder));
    for (size_t at = 0; (more = take_lines(embedder, texts, &at, &line, why)) > 0;) {
        if (embedder_run(embedder, &embedder->texts, 0, why) < 0)
            return -1;
        for (size_t i = 0; i < embedder->texts.texts; i++)
            write_rows(embedder, file, i);
    }
    return more;
}

/* A number and what is put before it, at the end of a list. */
static void put_number(struct text_buffer *list, char before, int32_t number)
{
    char digits[16];
    size_t at = sizeof digits;
    uint32_t rest = (uint32_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    digits[--at] = before;
    text_add(list, digits + at, sizeof digits - at);
}

static int ids_of_file(struct embedder *embedder, const struct whole_file *texts, struct atomic_file *file, struct reason *why)
{
    const size_t most = embedder->model->max_tokens;
    int32_t *ids = malloc(most * sizeof *ids);
    struct text_buffer list = {0}, prompted = {0};
    struct line line = {0};
    int result = ids ? 0 : fail(why, "out of memory");
    for (size_t at = 0; result == 0 && next_line(texts, &at, &line);) {
        struct reason problem;
        text_clear(&prompted);
        text_add_string(&prompted, embedder->model->prompt);
        text_add(&prompted, line.text, line.bytes);
        if (prompted.failed) {
            result = fail(why, "out of memory");
            break;
        }
        const long count = text_tokenizer_encode(embedder->model->tokenizer, prompted.bytes, prompted.count, most, ids, &problem);
        if (count < 0)
            result = fail(why, "line %zu: %s", line.number, problem.text);
        text_clear(&list);
        for (long i = 0; i < count; i++)
            put_number(&list, i ? ',' : '[', ids[i]);
        text_add_string(&list, count ? "]\n" : "[]\n");
        if (list.failed)
            result = fail(why, "out of memory");
        else
            atomic_file_write(file, list.bytes, list.count);
    }
    text_free(&list);
    text_free(&prompted);
    free(ids);
    return result;
}

int text_lines_embed(struct embedder *embedder, const char *in, const char *out, struct reason *why)
{
    struct whole_file texts = {0};
    struct atomic_file *file = NULL;
    int result = whole_file_read(in, &texts, why);
    if (result == 0 && !(file = atomic_file_open(out, why)))
        result = -1;
    if (result == 0)
        result = embedder->encoder || embedder->gpu ? embed_file(embedder, &texts, file, why) : ids_of_file(embedder, &texts, file, why);
    if (result == 0)
        result = atomic_file_commit(file, why);
    else
        atomic_file_abandon(file);
    whole_file_free(&texts);
    return result;
}
