#include "trained_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "grow.h"
#include "subword_vocabulary.h"
#include "text_buffer.h"
#include "trie.h"
#include "unigram.h"
#include "wordpiece_model.h"

#define NO_TOKEN (-1) /* a base token of the file that the configuration's vocabulary does not have: it stands for no music */

/* The texts of tokens, end to end, with what belongs to them. */
struct text_span { size_t begin, count; };
/* A subword or a base token of the file by its id: its base ids, in `parts`. */
struct parts { int32_t id; size_t begin, count; };
struct parts_table { struct parts *list; size_t count, capacity; };

struct trained_model {
    const struct vocabulary *vocabulary;
    struct bpe *bpe;
    struct unigram *unigram;
    struct wordpiece_model *wordpiece;
    struct trie added;       /* added tokens, found before anything else */
    int metaspace, prepends; /* words are cut before each replacement; one is put in front */
    struct text_buffer replacement;

    struct text_buffer characters;   /* of base tokens */
    struct text_span *character_of;  /* [base ids]: count 0: it has none */
    size_t character_count;
    int32_t *parts;                  /* base ids, NO_TOKEN among them */
    size_t part_count, part_capacity;
    struct parts_table subwords, base; /* by id */

    struct text_buffer word; /* the one at hand */
};

/* ---- reading ---- */

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* Bytes of the UTF-8 character at `text`; cJSON has made it from JSON, and it may be damaged: then each byte is one. */
static size_t character_bytes(const char *text)
{
    unsigned char first = (unsigned char)*text;
    size_t wanted = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, have = 1;
    while (have < wanted && ((unsigned char)text[have] & 0xc0) == 0x80)
        have++;
    return have;
}

static int add_part(struct trained_model *model, int32_t id, struct reason *why)
{
    if (GROW(model->parts, model->part_capacity, model->part_count + 1, why) < 0)
        return -1;
    model->parts[model->part_count++] = id;
    return 0;
}

static int add_to_table(struct parts_table *table, double id, size_t begin, size_t count, struct reason *why)
{
    if (!(id >= 0 && id < SUBWORD_IDS) || floor(id) != id)
        return fail(why, "a token's id is not a whole number from 0 to %d", SUBWORD_IDS - 1);
    if (GROW(table->list, table->capacity, table->count + 1, why) < 0)
        return -1;
    table->list[table->count++] = (struct parts){(int32_t)id, begin, count};
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct parts *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static void sort_by_id(struct parts_table *table)
{
    if (table->count > 0)
        qsort(table->list, table->count, sizeof *table->list, by_id);
}

static const struct parts *find_parts(const struct parts_table *table, int32_t id)
{
    struct parts wanted = {id, 0, 0};
    return table->count > 0 ? bsearch(&wanted, table->list, table->count, sizeof *table->list, by_id) : NULL;
}

/* _vocab_base: {name: id}; the names' ids in the configuration's vocabulary. */
static int read_base(struct trained_model *model, const cJSON *root, struct reason *why)
{
    const cJSON *base = cJSON_GetObjectItemCaseSensitive(root, "_vocab_base"), *entry;
    if (!cJSON_IsObject(base))
        return fail(why, "_vocab_base is not a JSON object");
    cJSON_ArrayForEach(entry, base) {
        if (!cJSON_IsNumber(entry) || add_to_table(&model->base, entry->valuedouble, model->part_count, 1, why) < 0)
            return cJSON_IsNumber(entry) ? -1 : fail(why, "_vocab_base: the id of %.64s is not a number", entry->string);
        if (add_part(model, vocabulary_find(model->vocabulary, 0, entry->string), why) < 0)
            return -1;
    }
    sort_by_id(&model->base);
    return 0;
}

/* _vocab_base_byte_to_token: {character: name}. Fills character_of; `known`: character to base id, for decoding. */
static int read_characters(struct trained_model *model, const cJSON *root, struct trie *known, struct reason *why)
{
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, "_vocab_base_byte_to_token"), *entry;
    if (!cJSON_IsObject(object))
        return fail(why, "_vocab_base_byte_to_token is not a JSON object");
    model->character_count = model->vocabulary->columns[0].count;
    model->character_of = calloc(model->character_count, sizeof *model->character_of);
    struct trie_entry *entries = calloc((size_t)cJSON_GetArraySize(object) + 1, sizeof *entries);
    size_t count = 0;
    int result = model->character_of && entries ? 0 : fail(why, "out of memory");
    cJSON_ArrayForEach(entry, object) {
        if (result < 0 || (!cJSON_IsString(entry) && (result = fail(why, "_vocab_base_byte_to_token: the token of %.16s is no string", entry->string)) < 0))
            break;
        int32_t id = vocabulary_find(model->vocabulary, 0, entry->valuestring);
        size_t bytes = strlen(entry->string);
        if (id < 0 || bytes == 0 || bytes > SUBWORD_BYTES)
            continue;
        model->character_of[id] = (struct text_span){model->characters.count, bytes};
        text_add(&model->characters, entry->string, bytes);
        entries[count++] = (struct trie_entry){entry->string, bytes, id};
    }
    if (result == 0)
        result = model->characters.failed ? fail(why, "out of memory") : trie_build(known, entries, count, why);
    free(entries);
    return result;
}

/* ---- the model ---- */

static int open_engine(struct trained_model *model, const cJSON *engine, struct reason *why)
{
    const char *type = text_of(engine, "type");
    if (type && strcmp(type, "BPE") == 0)
        model->bpe = bpe_open(engine, why);
    else if (type && strcmp(type, "Unigram") == 0)
        model->unigram = unigram_open(engine, why);
    else if (type && strcmp(type, "WordPiece") == 0)
        model->wordpiece = wordpiece_model_open(engine, why);
    else
        return fail(why, "_model: the type %.64s; known: BPE, Unigram, WordPiece", type ? type : "is missing");
    return model->bpe || model->unigram || model->wordpiece ? 0 : -1;
}

static int read_pre_tokenizer(struct trained_model *model, const cJSON *document, struct reason *why)
{
    const cJSON *normalizer = cJSON_GetObjectItemCaseSensitive(document, "normalizer"), *object = cJSON_GetObjectItemCaseSensitive(document, "pre_tokenizer");
    if (normalizer && !cJSON_IsNull(normalizer))
        return fail(why, "_model: it has a normalizer, which MidiTok's models have not");
    if (!object || cJSON_IsNull(object))
        return 0;
    const char *type = text_of(object, "type"), *replacement = text_of(object, "replacement"), *scheme = text_of(object, "prepend_scheme");
    if (!type || strcmp(type, "Metaspace") != 0 || !replacement || !*replacement || strlen(replacement) > 4)
        return fail(why, "_model: the pre-tokenizer is none of MidiTok's (Metaspace)");
    text_add_string(&model->replacement, replacement);
    model->metaspace = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(object, "split"));
    model->prepends = !scheme || strcmp(scheme, "never") != 0;
    if (scheme && strcmp(scheme, "first") == 0)
        return fail(why, "_model: Metaspace's prepend_scheme is first, which MidiTok's models have not");
    return model->replacement.failed ? fail(why, "out of memory") : 0;
}

/* Base ids of a subword: those of its characters, without the model's affixes and one replacement in front. */
static int add_subword(struct trained_model *model, const cJSON *engine, const struct trie *known, const char *text, double id, struct reason *why)
{
    const char *prefix = text_of(engine, "continuing_subword_prefix"), *suffix = text_of(engine, "end_of_word_suffix");
    size_t begin = model->part_count, count = strlen(text);
    if (prefix && *prefix && strncmp(text, prefix, strlen(prefix)) == 0) {
        text += strlen(prefix);
        count -= strlen(prefix);
    }
    if (suffix && *suffix && count >= strlen(suffix) && strcmp(text + count - strlen(suffix), suffix) == 0)
        count -= strlen(suffix);
    if (model->replacement.count > 0 && strncmp(text, model->replacement.bytes, model->replacement.count) == 0 && count >= model->replacement.count) {
        text += model->replacement.count;
        count -= model->replacement.count;
    }
    for (size_t at = 0, bytes; at < count; at += bytes) {
        bytes = character_bytes(text + at);
        if (bytes > count - at)
            bytes = count - at;
        if (add_part(model, trie_find(known, text + at, bytes), why) < 0)
            return -1;
    }
    return add_to_table(&model->subwords, id, begin, model->part_count - begin, why);
}

/* The model's vocabulary: {text: id}, or Unigram's [[text, score], …]. */
static int read_subwords(struct trained_model *model, const cJSON *engine, const struct trie *known, struct reason *why)
{
    const cJSON *vocabulary = cJSON_GetObjectItemCaseSensitive(engine, "vocab"), *entry;
    double place = 0;
    cJSON_ArrayForEach(entry, vocabulary) {
        const cJSON *text = cJSON_IsArray(entry) ? cJSON_GetArrayItem(entry, 0) : NULL;
        if (text ? !cJSON_IsString(text) : !cJSON_IsNumber(entry) || !entry->string)
            return fail(why, "_model: its vocab holds something else than tokens and ids");
        if (add_subword(model, engine, known, text ? text->valuestring : entry->string, text ? place++ : entry->valuedouble, why) < 0)
            return -1;
    }
    return 0;
}

static int read_added(struct trained_model *model, const cJSON *document, const cJSON *engine, const struct trie *known, struct reason *why)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "added_tokens"), *entry;
    struct trie_entry *entries = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *entries);
    size_t count = 0;
    int result = entries ? 0 : fail(why, "out of memory");
    cJSON_ArrayForEach(entry, list) {
        const char *content = text_of(entry, "content");
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(entry, "id");
        int plain = content && *content && strlen(content) <= SUBWORD_BYTES && cJSON_IsNumber(id) && id->valuedouble >= 0 && id->valuedouble < SUBWORD_IDS;
        for (const char *const *flag = (const char *const[]){"lstrip", "rstrip", "single_word", NULL}; *flag; flag++)
            plain &= !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, *flag));
        if (result == 0)
            result = plain ? add_subword(model, engine, known, content, id->valuedouble, why) : fail(why, "_model: an added token that is none of MidiTok's");
        if (result < 0)
            break;
        entries[count++] = (struct trie_entry){content, strlen(content), (int32_t)id->valuedouble};
    }
    if (result == 0)
        result = trie_build(&model->added, entries, count, why);
    free(entries);
    return result;
}

static int read_document(struct trained_model *model, const cJSON *root, const cJSON *document, struct reason *why)
{
    const cJSON *engine = cJSON_GetObjectItemCaseSensitive(document, "model");
    struct trie known = {0};
    int result = read_base(model, root, why) < 0 || read_characters(model, root, &known, why) < 0 || open_engine(model, engine, why) < 0 ||
                         read_pre_tokenizer(model, document, why) < 0 || read_subwords(model, engine, &known, why) < 0 ||
                         read_added(model, document, engine, &known, why) < 0
                     ? -1
                     : 0;
    sort_by_id(&model->subwords);
    trie_free(&known);
    return result;
}

static int read_model(const cJSON *root, const char *text, const struct vocabulary *vocabulary, struct trained_model **model, struct reason *why)
{
    if (vocabulary->column_count != 1)
        return fail(why, "_model: a tokenization of several vocabularies has none");
    *model = calloc(1, sizeof **model);
    cJSON *document = *model ? cJSON_Parse(text) : NULL;
    int result = !*model ? fail(why, "out of memory") : document ? 0 : fail(why, "_model is no JSON document");
    if (result == 0) {
        (*model)->vocabulary = vocabulary;
        result = read_document(*model, root, document, why);
    }
    cJSON_Delete(document);
    return result;
}

int trained_model_open(const char *json, size_t count, const struct vocabulary *vocabulary, struct trained_model **model, struct reason *why)
{
    *model = NULL;
    cJSON *root = cJSON_ParseWithLength(json, count);
    if (!root)
        return fail(why, "no JSON document");
    const char *text = text_of(root, "_model");
    int result = text ? read_model(root, text, vocabulary, model, why) : 0;
    cJSON_Delete(root);
    if (result < 0) {
        trained_model_close(*model);
        *model = NULL;
    }
    return result;
}

void trained_model_close(struct trained_model *model)
{
    if (!model)
        return;
    bpe_close(model->bpe);
    unigram_close(model->unigram);
    wordpiece_model_close(model->wordpiece);
    trie_free(&model->added);
    text_free(&model->replacement);
    text_free(&model->characters);
    text_free(&model->word);
    free(model->character_of);
    free(model->parts);
    free(model->subwords.list);
    free(model->base.list);
    free(model);
}

/* ---- encoding ---- */

static int encode_piece(struct trained_model *model, const char *piece, size_t bytes, struct token_ids *out, struct reason *why)
{
    if (bytes == 0)
        return 0;
    if (model->bpe)
        return bpe_encode(model->bpe, piece, bytes, out, why);
    return model->unigram ? unigram_encode(model->unigram, piece, bytes, out, why) : wordpiece_model_encode(model->wordpiece, piece, bytes, out, why);
}

/* A stretch between added tokens, in `word` from `begin` on: a replacement is put in front, and each begins a piece. */
static int encode_stretch(struct trained_model *model, const char *text, size_t bytes, struct text_buffer *piece, struct token_ids *out, struct reason *why)
{
    size_t mark = model->replacement.count;
    if (bytes == 0)
        return 0;
    if (mark == 0)
        return encode_piece(model, text, bytes, out, why);
    text_clear(piece);
    if (model->prepends && !(bytes >= mark && memcmp(text, model->replacement.bytes, mark) == 0))
        text_add(piece, model->replacement.bytes, mark);
    text_add(piece, text, bytes);
    if (piece->failed)
        return fail(why, "out of memory");
    size_t begin = 0;
    while (begin < piece->count) {
        const char *next = !model->metaspace || piece->count - begin <= 1
                               ? NULL
                               : memmem(piece->bytes + begin + 1, piece->count - begin - 1, model->replacement.bytes, mark);
        size_t end = next ? (size_t)(next - piece->bytes) : piece->count;
        if (encode_piece(model, piece->bytes + begin, end - begin, out, why) < 0)
            return -1;
        begin = end;
    }
    return 0;
}

/* The longest added token at `text`; *bytes of it. -1: none. */
static int32_t added_at(const struct trained_model *model, const char *text, size_t count, size_t *bytes)
{
    uint32_t node = TRIE_ROOT;
    int32_t id = -1;
    for (size_t i = 0; i < count; i++) {
        node = trie_step(&model->added, node, (unsigned char)text[i]);
        if (node == TRIE_NONE)
            break;
        if (model->added.nodes[node].id >= 0) {
            id = model->added.nodes[node].id;
            *bytes = i + 1;
        }
    }
    return id;
}

static int spell(struct trained_model *model, const int32_t *ids, size_t count, struct reason *why)
{
    text_clear(&model->word);
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= model->character_count || model->character_of[ids[i]].count == 0)
            return fail(why, "the token %s is none of the trained tokenizer's", ids[i] < 0 ? "?" : vocabulary_name(model->vocabulary, 0, ids[i]));
        const struct text_span *span = &model->character_of[ids[i]];
        text_add(&model->word, model->characters.bytes + span->begin, span->count);
    }
    return model->word.failed ? fail(why, "out of memory") : 0;
}

int trained_model_encode(struct trained_model *model, const int32_t *ids, size_t count, struct token_ids *out, struct reason *why)
{
    if (spell(model, ids, count, why) < 0)
        return -1;
    if (model->word.count == 0)
        return 0;
    struct text_buffer piece = {0};
    size_t begin = 0, at = 0, bytes = 0;
    int result = 0;
    while (at < model->word.count && result == 0) {
        int32_t id = added_at(model, model->word.bytes + at, model->word.count - at, &bytes);
        if (id < 0) {
            at++;
            continue;
        }
        result = encode_stretch(model, model->word.bytes + begin, at - begin, &piece, out, why) < 0 ? -1 : token_ids_add(out, id, why);
        begin = at += bytes;
    }
    if (result == 0)
        result = encode_stretch(model, model->word.bytes + begin, model->word.count - begin, &piece, out, why);
    text_free(&piece);
    return result;
}

/* ---- decoding ---- */

static int is_encoded(const struct trained_model *model, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= 0 && (size_t)ids[i] >= model->base.count)
            return 1;
    return 0;
}

int trained_model_decode(const struct trained_model *model, const int32_t *ids, size_t count, int encoded, size_t most, struct token_ids *out, struct reason *why)
{
    const struct parts_table *table = encoded < 0 ? (is_encoded(model, ids, count) ? &model->subwords : &model->base) : encoded ? &model->subwords : &model->base;
    for (size_t i = 0; i < count; i++) {
        const struct parts *parts = find_parts(table, ids[i]);
        if (!parts)
            return fail(why, "token %zu: the id %d is none of the trained tokenizer's", i, ids[i]);
        if (parts->count > most - out->count)
            return fail(why, "more than %zu tokens", most);
        for (size_t part = 0; part < parts->count; part++)
            if (model->parts[parts->begin + part] != NO_TOKEN && token_ids_add(out, model->parts[parts->begin + part], why) < 0)
                return -1;
    }
    return 0;
}
