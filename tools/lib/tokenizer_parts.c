#include "tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

#include "model_json.h"
#include "subword_vocabulary.h"

enum { ADDED_TOKENS = 16384 }; /* most added tokens */

static const char spec_file[] = "tokenizer.json", lines_file[] = "vocab.txt", vocabulary_file[] = "vocab.json", merges_file[] = "merges.txt";

/* A reason of a part, with the file's name before it. */
static int fail_in(const char *file, const struct reason *inner, struct reason *why)
{
    return is_out_of_memory(inner) ? fail(why, "%s", inner->text) : fail(why, "%s: %s", file, inner->text);
}

static int read_file(struct whole_file *into, const char *folder, const char *file, struct reason *why)
{
    char path[MODEL_PATH];
    struct reason inner;
    if (model_file(folder, file, path, why) < 0)
        return -1;
    return whole_file_read(path, into, &inner) < 0 ? fail_in(file, &inner, why) : 0;
}

/* ---- families of tokenizer classes ---- */

/* The class without "Fast"; where none is said, that of the model. */
static int is_of_family(const struct tokenizer_settings *settings, const char *const *classes, const char *const *models)
{
    if (!*settings->class || strcmp(settings->class, "PreTrainedTokenizer") == 0) {
        for (; *models; models++)
            if (strcmp(*models, settings->model) == 0)
                return 1;
        return 0;
    }
    for (; *classes; classes++) {
        const size_t length = strlen(*classes);
        if (strncmp(settings->class, *classes, length) == 0 && (!settings->class[length] || strcmp(settings->class + length, "Fast") == 0))
            return 1;
    }
    return 0;
}

static int is_bert(const struct tokenizer_settings *settings)
{
    return is_of_family(settings, (const char *const[]){"BertTokenizer", "DistilBertTokenizer", "MPNetTokenizer", NULL},
                        (const char *const[]){"bert", "distilbert", "mpnet", NULL});
}

static int is_mpnet(const struct tokenizer_settings *settings)
{
    return is_of_family(settings, (const char *const[]){"MPNetTokenizer", NULL}, (const char *const[]){"mpnet", NULL});
}

static int is_roberta(const struct tokenizer_settings *settings)
{
    return is_of_family(settings, (const char *const[]){"RobertaTokenizer", NULL}, (const char *const[]){"roberta", NULL});
}

/* transformers' BERT classes build their normalizer from tokenizer_config.json, whatever tokenizer.json has. */
static struct bert_rules bert_rules(const struct tokenizer_settings *settings)
{
    return (struct bert_rules){1, settings->lower_case, settings->strip_accents < 0 ? settings->lower_case : settings->strip_accents, settings->split_chinese};
}

/* ---- added tokens ---- */

/* A normalized token is found by its normalized text. */
static int put_token(struct tokenizer_parts *parts, struct added_token *token, struct reason *why)
{
    if (!token->normalized)
        return added_tokens_put(&parts->raw, token, why);
    size_t count;
    const char *text = text_normalize(parts->normalizer, token->text, strlen(token->text), &count);
    char *copy = text ? strndup(text, count) : NULL;
    if (!copy)
        return fail(why, "out of memory");
    struct added_token normal = *token;
    normal.text = copy;
    const int result = *copy ? added_tokens_put(&parts->normalized, &normal, why) : 0;
    free(copy);
    return result;
}

static int read_added_token(const cJSON *entry, struct added_token *token, struct reason *why)
{
    const char *text;
    size_t id;
    if (json_get_text(entry, spec_file, "content", "", &text, why) < 0 || json_get_size(entry, spec_file, "id", SUBWORD_IDS, 0, SUBWORD_IDS - 1, &id, why) < 0 ||
        json_get_flag(entry, spec_file, "lstrip", 0, &token->lstrip, why) < 0 || json_get_flag(entry, spec_file, "rstrip", 0, &token->rstrip, why) < 0 ||
        json_get_flag(entry, spec_file, "single_word", 0, &token->single_word, why) < 0 ||
        json_get_flag(entry, spec_file, "special", 0, &token->special, why) < 0 ||
        json_get_flag(entry, spec_file, "normalized", !token->special, &token->normalized, why) < 0)
        return -1;
    if (id == SUBWORD_IDS || strlen(text) > SUBWORD_BYTES)
        return fail(why, "%s: added token %.64s has no id, or is too long", spec_file, text);
    token->text = (char *)(uintptr_t)text;
    token->id = (int32_t)id;
    return 0;
}

/* Special ones come first: of two with the same text that one is found. */
static int read_added_tokens(struct tokenizer_parts *parts, const cJSON *list, struct reason *why)
{
    const cJSON *entry;
    if (list && cJSON_GetArraySize(list) > ADDED_TOKENS)
        return fail(why, "%s: more than %d added tokens", spec_file, ADDED_TOKENS);
    for (int special = 1; special >= 0; special--)
        cJSON_ArrayForEach(entry, list) {
            struct added_token token = {0};
            if (read_added_token(entry, &token, why) < 0)
                return -1;
            if (token.special == special && *token.text && put_token(parts, &token, why) < 0)
                return -1;
        }
    return 0;
}

/* ---- the template ---- */

static int is_special(const struct tokenizer_parts *parts, int32_t id)
{
    for (size_t i = 0; i < parts->raw.count; i++)
        if (parts->raw.list[i].id == id && parts->raw.list[i].special)
            return 1;
    return 0;
}

static int add_template_id(struct token_ids *list, const cJSON *id, struct reason *why)
{
    if (!cJSON_IsNumber(id) || !(id->valuedouble >= 0 && id->valuedouble < SUBWORD_IDS) || id->valuedouble != (double)(int32_t)id->valuedouble)
        return fail(why, "%s: post_processor: an id is not a whole number from 0 to %d", spec_file, SUBWORD_IDS - 1);
    return token_ids_add(list, (int32_t)id->valuedouble, why);
}

/* BertProcessing, RobertaProcessing: ["[SEP]", 102]. */
static int read_pair(struct token_ids *list, const cJSON *spec, const char *name, struct reason *why)
{
    const cJSON *pair = json_member(spec, name);
    if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2)
        return fail(why, "%s: post_processor: %s is not a token and its id", spec_file, name);
    return add_template_id(list, pair->child->next, why);
}

/* TemplateProcessing: [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, …]. */
static int read_template(struct tokenizer_parts *parts, const cJSON *spec, struct reason *why)
{
    const cJSON *piece, *id;
    struct token_ids *list = &parts->prefix;
    int sequences = 0;
    cJSON_ArrayForEach(piece, json_member(spec, "single")) {
        const cJSON *special = json_member(piece, "SpecialToken"), *sequence = json_member(piece, "Sequence");
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(special ? special : sequence, "id"));
        if (sequence) {
            list = &parts->suffix;
            sequences++;
            continue;
        }
        const cJSON *token = name ? json_member(json_member(spec, "special_tokens"), name) : NULL;
        if (!token)
            return fail(why, "%s: post_processor: the template has a token that is not described", spec_file);
        cJSON_ArrayForEach(id, json_member(token, "ids"))
            if (add_template_id(list, id, why) < 0)
                return -1;
    }
    return sequences == 1 ? 0 : fail(why, "%s: post_processor: the template has the text %d times; once is known", spec_file, sequences);
}

static int read_processor(struct tokenizer_parts *parts, const cJSON *spec, struct reason *why)
{
    const char *type;
    const cJSON *entry;
    if (!spec)
        return 0;
    if (json_get_text(spec, spec_file, "type", "", &type, why) < 0)
        return -1;
    if (strcmp(type, "ByteLevel") == 0) /* of offsets alone */
        return 0;
    if (strcmp(type, "Sequence") == 0) {
        cJSON_ArrayForEach(entry, json_member(spec, "processors"))
            if (read_processor(parts, entry, why) < 0)
                return -1;
        return 0;
    }
    if (parts->prefix.count || parts->suffix.count)
        return fail(why, "%s: post_processor: more than one template", spec_file);
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(parts, spec, why);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        return read_pair(&parts->prefix, spec, "cls", why) < 0 ? -1 : read_pair(&parts->suffix, spec, "sep", why);
    return fail(why, "%s: post_processor %s is not known", spec_file, *type ? type : "without a type");
}

/* ---- tokenizer.json ---- */

static int read_spec(struct tokenizer_parts *parts, const cJSON *spec, struct reason *why)
{
    const struct tokenizer_settings *settings = &parts->settings;
    const struct bert_rules rules = bert_rules(settings);
    const cJSON *truncation = json_member(spec, "truncation");
    struct reason inner;
    if (json_only_known(truncation, spec_file, "direction", "Right", why) < 0)
        return -1;
    if (!(parts->normalizer = text_normalizer_open(json_member(spec, "normalizer"), is_bert(settings) ? &rules : NULL, settings->lower_first, why)) ||
        !(parts->splitter = text_splitter_open(json_member(spec, "pre_tokenizer"), why)))
        return -1;
    if (!(parts->model = token_model_open(json_member(spec, "model"), &inner)))
        return is_out_of_memory(&inner) ? fail(why, "%s", inner.text) : fail(why, "%s: model: %s", spec_file, inner.text);
    return read_added_tokens(parts, json_member(spec, "added_tokens"), why) < 0 ? -1 : read_processor(parts, json_member(spec, "post_processor"), why);
}

static int read_tokenizer_json(struct tokenizer_parts *parts, const char *folder, struct reason *why)
{
    if (read_file(&parts->files[0], folder, spec_file, why) < 0)
        return -1;
    cJSON *spec = model_parse_json((const char *)parts->files[0].bytes, parts->files[0].count, spec_file, cJSON_Object, why);
    if (!spec)
        return -1;
    const int result = read_spec(parts, spec, why);
    cJSON_Delete(spec);
    return result;
}

/* ---- vocab.txt; vocab.json and merges.txt ---- */

/* What the class has for tokens that are not said, and [CLS] text [SEP] around a text. */
static int add_specials(struct tokenizer_parts *parts, const char *file, const char *const defaults[SPECIALS], struct reason *why)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        const struct special_token *said = &parts->settings.special[i];
        const char *text = *said->text ? said->text : defaults[i];
        struct added_token token = {.text = (char *)(uintptr_t)text, .id = token_model_find(parts->model, text), .lstrip = said->lstrip, .rstrip = said->rstrip,
                                    .single_word = said->single_word, .special = 1};
        if (i == SPECIAL_MASK && is_mpnet(&parts->settings))
            token.lstrip = 1;
        if (token.id < 0 && (i == SPECIAL_FIRST || i == SPECIAL_LAST))
            return fail(why, "%s: there is no %s", file, text);
        if (token.id >= 0 && added_tokens_put(&parts->raw, &token, why) < 0)
            return -1;
        if ((i == SPECIAL_FIRST && token_ids_add(&parts->prefix, token.id, why) < 0) || (i == SPECIAL_LAST && token_ids_add(&parts->suffix, token.id, why) < 0))
            return -1;
    }
    return 0;
}

static int open_stages(struct tokenizer_parts *parts, const char *normalizer, const char *splitter, int prefix_space, struct reason *why)
{
    const struct bert_rules rules = bert_rules(&parts->settings);
    cJSON *normal = cJSON_CreateObject(), *split = cJSON_CreateObject();
    fail(why, "out of memory");
    if (normal && split && cJSON_AddStringToObject(normal, "type", normalizer) && cJSON_AddStringToObject(split, "type", splitter) &&
        cJSON_AddBoolToObject(split, "add_prefix_space", prefix_space)) {
        parts->normalizer = text_normalizer_open(*normalizer ? normal : NULL, &rules, parts->settings.lower_first, why);
        parts->splitter = parts->normalizer ? text_splitter_open(split, why) : NULL;
    }
    cJSON_Delete(normal);
    cJSON_Delete(split);
    return parts->splitter ? 0 : -1;
}

static int read_vocab_txt(struct tokenizer_parts *parts, const char *folder, struct reason *why)
{
    static const char *const bert[SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"}, *const mpnet[SPECIALS] = {"[UNK]", "<s>", "</s>", "<pad>", "<mask>"};
    const char *unknown = parts->settings.special[SPECIAL_UNKNOWN].text;
    struct reason inner;
    if (read_file(&parts->files[0], folder, lines_file, why) < 0 || open_stages(parts, "BertNormalizer", "BertPreTokenizer", 0, why) < 0)
        return -1;
    parts->model = token_model_from_lines((const char *)parts->files[0].bytes, parts->files[0].count, *unknown ? unknown : "[UNK]", &inner);
    return parts->model ? add_specials(parts, lines_file, is_mpnet(&parts->settings) ? mpnet : bert, why) : fail_in(lines_file, &inner, why);
}

/* The lines "a b" of merges.txt, but for a first one that begins with #version. */
static int add_merges(cJSON *model, const struct whole_file *file, struct reason *why)
{
    cJSON *merges = cJSON_AddArrayToObject(model, "merges"), *last = NULL;
    for (const char *at = (const char *)file->bytes, *end = at + file->count; merges && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
        size_t length = (size_t)((newline ? newline : end) - at);
        if (length && at[length - 1] == '\r')
            length--;
        if (length && !(at == (const char *)file->bytes && length >= 8 && memcmp(at, "#version", 8) == 0)) {
            char *line = strndup(at, length);
            cJSON *entry = line ? cJSON_CreateString(line) : NULL;
            free(line);
            if (!entry)
                return fail(why, "out of memory");
            if (!last) /* the library itself looks for the end each time */
                cJSON_AddItemToArray(merges, entry);
            else
                last->next = entry, entry->prev = last, merges->child->prev = entry;
            last = entry;
        }
        at = next;
    }
    return merges ? 0 : fail(why, "out of memory");
}

static int read_vocab_json(struct tokenizer_parts *parts, const char *folder, struct reason *why)
{
    static const char *const roberta[SPECIALS] = {"<unk>", "<s>", "</s>", "<pad>", "<mask>"};
    struct reason inner;
    if (read_file(&parts->files[0], folder, vocabulary_file, why) < 0 || read_file(&parts->files[1], folder, merges_file, why) < 0 ||
        open_stages(parts, "", "ByteLevel", parts->settings.prefix_space, why) < 0)
        return -1;
    cJSON *vocabulary = model_parse_json((const char *)parts->files[0].bytes, parts->files[0].count, vocabulary_file, cJSON_Object, why);
    cJSON *model = vocabulary ? cJSON_CreateObject() : NULL;
    int result = vocabulary ? -1 : -2;
    if (model && cJSON_AddStringToObject(model, "type", "BPE") && cJSON_AddItemToObject(model, "vocab", vocabulary)) {
        vocabulary = NULL;
        result = add_merges(model, &parts->files[1], why);
        if (result == 0 && !(parts->model = token_model_open(model, &inner)))
            result = fail_in(vocabulary_file, &inner, why);
    } else if (result == -1) {
        fail(why, "out of memory");
    }
    cJSON_Delete(vocabulary);
    cJSON_Delete(model);
    return result < 0 ? -1 : add_specials(parts, vocabulary_file, roberta, why);
}

/* ---- all of it ---- */

static int read_folder(struct tokenizer_parts *parts, const char *folder, struct reason *why)
{
    const struct tokenizer_settings *settings = &parts->settings;
    if (model_has_file(folder, spec_file))
        return read_tokenizer_json(parts, folder, why);
    if (model_has_file(folder, lines_file) && is_bert(settings))
        return read_vocab_txt(parts, folder, why);
    if (model_has_file(folder, vocabulary_file) && is_roberta(settings))
        return read_vocab_json(parts, folder, why);
    if (*settings->class && !is_bert(settings) && !is_roberta(settings))
        return fail(why, "tokenizer_config.json: tokenizer_class %s is not known without a tokenizer.json", settings->class);
    if (model_has_file(folder, "sentencepiece.bpe.model") || model_has_file(folder, "spiece.model"))
        return fail(why, "the tokenizer is a SentencePiece model; a tokenizer.json is what is read");
    return fail(why, "no tokenizer: there is neither tokenizer.json nor vocab.txt, nor vocab.json with merges.txt");
}

int tokenizer_parts_read(struct tokenizer_parts *parts, const char *folder, const struct tokenizer_settings *settings, struct reason *why)
{
    *parts = (struct tokenizer_parts){.settings = *settings};
    if (read_folder(parts, folder, why) < 0 || added_tokens_build(&parts->raw, why) < 0 || added_tokens_build(&parts->normalized, why) < 0)
        return -1;
    const struct token_ids *last = parts->suffix.count ? &parts->suffix : NULL;
    parts->ends_special = last && is_special(parts, last->ids[last->count - 1]);
    return 0;
}

void tokenizer_parts_free(struct tokenizer_parts *parts)
{
    text_normalizer_close(parts->normalizer);
    text_splitter_close(parts->splitter);
    token_model_close(parts->model);
    added_tokens_free(&parts->raw);
    added_tokens_free(&parts->normalized);
    free(parts->prefix.ids);
    free(parts->suffix.ids);
    whole_file_free(&parts->files[0]);
    whole_file_free(&parts->files[1]);
}
