#include "sample_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "item_json.h"
#include "shard.h"
#include "text_buffer.h"
#include "token_list.h"
#include "work_files.h"

static int write_list(const char *path, enum shard_kind kind, const struct sample *samples, size_t count, struct reason *why)
{
    struct text_buffer list = {0};
    for (size_t i = 0; i < count; i++) {
        char hex[HASH_HEX + 1];
        hash_to_hex(samples[i].key, hex);
        text_printf(&list, "[\"%s\",", hex);
        if (kind == SHARD_OF_MIDI)
            text_add_json_string(&list, samples[i].path, strlen(samples[i].path));
        else
            text_add_json_string(&list, samples[i].item->name.bytes, samples[i].item->name.count);
        text_add_string(&list, "]\n");
    }
    int result = list.failed ? fail(why, "out of memory") : atomic_file_put_if_changed(path, list.bytes, list.count, why);
    text_free(&list);
    return result;
}

/* What made the shard, told from its tensors. */
static struct token_form form_of(const struct item_tokens *made, size_t items)
{
    struct token_form form = {made->vocabularies, made->vocabularies, made->sequences && made->item_sequences};
    for (int64_t row = 0; row < made->offsets[items]; row++) {
        size_t width = 0;
        while (width < form.least && made->ids[(uint64_t)row * made->vocabularies + width] != TOKEN_NONE)
            width++;
        form.least = width;
    }
    return form;
}

static int same_tokens(const struct item_tokens *made, size_t item, const struct token_layout *stated)
{
    if (item_tokens_count(made, item) != stated->rows ||
        memcmp(made->ids + (uint64_t)made->offsets[item] * made->vocabularies, stated->ids, stated->rows * stated->vocabularies * sizeof *stated->ids) != 0)
        return 0;
    if (!stated->sequences)
        return 1;
    const int64_t *offsets = made->sequences + made->item_sequences[item];
    int same = (size_t)(made->item_sequences[item + 1] - made->item_sequences[item]) == stated->sequence_count;
    for (size_t i = 0; i < stated->sequence_count && same; i++)
        same = (uint64_t)(offsets[i + 1] - offsets[i]) == stated->sequences[i];
    return same;
}

static int tokens_differ(const struct shard *shard, struct sample *samples, size_t count, struct token_form *form, struct reason *why)
{
    struct item_tokens made;
    struct reason other = {0};
    if (item_tokens_open(shard, &made, why) < 0)
        return -1;
    *form = form_of(&made, count);
    for (size_t i = 0; i < count; i++) {
        struct checkpoint_item *item = samples[i].item;
        int laid_out = checkpoint_item_lay_out(item, form, &other) == 0;
        if (!laid_out && is_out_of_memory(&other))
            return fail(why, "%s", other.text);
        if (laid_out && same_tokens(&made, i, &item->layout))
            continue;
        int32_t highest = 0;
        for (size_t id = 0; id < item->tokens.id_count; id++)
            highest = item->tokens.ids[id] > highest ? item->tokens.ids[id] : highest;
        fail(why, "the tokens are of another vocabulary or setting: %zu ids up to %d for %s, the present tokenizer gives %zu others", item->tokens.id_count, highest,
             samples[i].path, item_tokens_count(&made, i));
        return 1;
    }
    return 0;
}

static double product(const float *a, const float *b, size_t dimension)
{
    double sum = 0;
    for (size_t i = 0; i < dimension; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static int rows_differ(const struct shard *shard, const struct sample *samples, size_t count, struct reason *why)
{
    uint64_t shape[2];
    const float *made = shard_tensor(shard, "embedding", SHARD_F32, shape);
    if (!made)
        return fail(why, "checkpoints hold embeddings in f32; TEXT_OUTPUT or EMBEDDING_TYPE asks for others");
    for (size_t i = 0; i < count; i++) {
        const float *stated = (const float *)(const void *)samples[i].item->row.bytes, *row = made + i * shape[1];
        if (samples[i].item->dimension != shape[1]) {
            fail(why, "the embeddings have %zu numbers, those of the present model %zu", samples[i].item->dimension, (size_t)shape[1]);
            return 1;
        }
        double stated_length = sqrt(product(stated, stated, shape[1])), length = sqrt(product(row, row, shape[1]));
        double cosine = stated_length > 0 && length > 0 ? product(stated, row, shape[1]) / stated_length / length : 0;
        if (cosine >= 0.9999 && fabs(stated_length - length) < 1e-3 * length)
            continue;
        fail(why, "the embeddings are not those of the present settings: for \"%.40s…\" the cosine is %.4f and the length %.3f instead of %.3f (the earlier system's are "
                  "MODEL's own with POOLING=cls NORMALIZE=0)", samples[i].item->name.bytes, cosine, stated_length, length);
        return 1;
    }
    return 0;
}

/* Makes the sample's shard. Its items are whole files and texts, so they need no more than any others. */
static int make(const char *command, const char *list, const char *out, struct reason *why)
{
    char *line = NULL;
    if (asprintf(&line, "USE_CACHE=0 PROGRESS_FILE= %s '%s' '%s'", command, list, out) < 0)
        return fail(why, "out of memory");
    int status = system(line);
    free(line);
    return status == 0 ? 0 : fail(why, "the sample could not be made");
}

int sample_check(enum shard_kind kind, const char *command, const char *work, struct sample *samples, size_t count, struct token_form *form, struct reason *why)
{
    char *list = NULL, *out = NULL;
    struct shard *shard = NULL;
    int result = asprintf(&list, "%s/plan/sample-%d.list", work, (int)getpid()) < 0 ||
                         asprintf(&out, "%s/plan/sample-%d.%s", work, (int)getpid(), shard_ending(kind)) < 0
                     ? fail(why, "out of memory")
                     : write_list(list, kind, samples, count, why);
    if (result == 0)
        result = make(command, list, out, why);
    if (result == 0)
        result = (shard = shard_open(out, shard_format(kind), why)) ? 0 : -1;
    if (result == 0 && shard_items(shard) != count)
        result = fail(why, "%s: %zu items instead of the %zu of the sample", out, shard_items(shard), count);
    for (size_t i = 0; result == 0 && i < count; i++)
        if (shard_item_error(shard, i)) {
            fail(why, "a record is of an item that cannot be processed: %s", shard_item_error(shard, i));
            result = 1;
        }
    if (result == 0)
        result = kind == SHARD_OF_MIDI ? tokens_differ(shard, samples, count, form, why) : rows_differ(shard, samples, count, why);
    shard_close(shard);
    if (list)
        unlink(list);
    if (out)
        unlink(out);
    free(list);
    free(out);
    return result;
}
