#include "model_config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int model_file(const char *folder, const char *name, char path[MODEL_PATH], struct reason *why)
{
    int length = snprintf(path, MODEL_PATH, "%s/%s", folder, name);
    return length < 0 || length >= MODEL_PATH ? fail(why, "%s: the path is too long", name) : 0;
}

int model_has_file(const char *folder, const char *name)
{
    char path[MODEL_PATH];
    if (model_file(folder, name, path, NULL) < 0)
        return 0;
    /* Only what is surely absent counts as absent: for any other reason, reading it will say what is wrong. Else a passing fault would change the model. */
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Reads folder/name, whose root is of this kind (cJSON_Object, cJSON_Array). NULL with `why`. */
static cJSON *read_json(const char *folder, const char *name, int kind, struct reason *why)
{
    char path[MODEL_PATH];
    struct whole_file file = {0};
    struct reason inner;
    cJSON *root = NULL;
    if (model_file(folder, name, path, why) < 0)
        return NULL;
    if (whole_file_read(path, &file, &inner) < 0) {
        fail(why, "%s: %s", name, inner.text);
    } else {
        const char *end = NULL;
        errno = 0;
        root = cJSON_ParseWithLengthOpts((const char *)file.bytes, file.count + 1, &end, 1);
        if (!root && errno == ENOMEM) /* the parser does not tell it from a fault in the text */
            fail(why, "%s: out of memory", name);
        else if (!root)
            fail(why, "%s: not JSON at byte %zu", name, end ? (size_t)(end - (const char *)file.bytes) : (size_t)0);
        else if ((root->type & 0xff) != kind) {
            fail(why, "%s: not a JSON %s", name, kind == cJSON_Array ? "list" : "object");
            cJSON_Delete(root);
            root = NULL;
        }
    }
    whole_file_free(&file);
    return root;
}

/* A member, where null counts as absent. */
static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(value) ? NULL : value;
}

static int get_size(const cJSON *object, const char *file, const char *name, size_t otherwise, size_t most, size_t *size, struct reason *why)
{
    const cJSON *value = member(object, name);
    *size = otherwise;
    if (!value)
        return 0;
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 1 && value->valuedouble <= (double)most) || floor(value->valuedouble) != value->valuedouble)
        return fail(why, "%s: %s is not a whole number from 1 to %zu", file, name, most);
    *size = (size_t)value->valuedouble;
    return 0;
}

static int get_flag(const cJSON *object, const char *file, const char *name, int otherwise, int *flag, struct reason *why)
{
    const cJSON *value = member(object, name);
    *flag = value ? cJSON_IsTrue(value) : otherwise;
    return value && !cJSON_IsBool(value) ? fail(why, "%s: %s is not true or false", file, name) : 0;
}

/* The text of a member must be `known`, where it is there at all. */
static int only_known(const cJSON *object, const char *file, const char *name, const char *known, struct reason *why)
{
    const cJSON *value = member(object, name);
    if (!value || (cJSON_IsString(value) && strcmp(value->valuestring, known) == 0))
        return 0;
    return fail(why, "%s: %s %s is not known; %s is", file, name, cJSON_IsString(value) ? value->valuestring : "(not a string)", known);
}

/* ---- modules.json and the pooling ---- */

static const struct { const char *name, *old_key; } poolings[POOLING_MODES] = {
    [POOLING_CLS] = {"cls", "pooling_mode_cls_token"},
    [POOLING_MAX] = {"max", "pooling_mode_max_tokens"},
    [POOLING_MEAN] = {"mean", "pooling_mode_mean_tokens"},
    [POOLING_MEAN_SQRT_LEN] = {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
    [POOLING_WEIGHTED_MEAN] = {"weightedmean", "pooling_mode_weightedmean_tokens"},
    [POOLING_LAST_TOKEN] = {"lasttoken", "pooling_mode_lasttoken"},
};

const char *pooling_name(enum pooling pooling)
{
    return poolings[pooling].name;
}

int pooling_from_name(const char *name)
{
    for (int i = 0; i < POOLING_MODES; i++)
        if (strcmp(poolings[i].name, name) == 0)
            return i;
    return -1;
}

static int add_pooling(struct model_folder *model, const char *file, const cJSON *mode, struct reason *why)
{
    int pooling = cJSON_IsString(mode) ? pooling_from_name(mode->valuestring) : -1;
    if (pooling < 0)
        return fail(why, "%s: pooling_mode %s is not known", file, cJSON_IsString(mode) ? mode->valuestring : "(not a string)");
    if (model->poolings == POOLING_MODES)
        return fail(why, "%s: more than %d pooling modes", file, POOLING_MODES);
    model->pooling[model->poolings++] = (enum pooling)pooling;
    return 0;
}

/* The new key holds a mode or a list of them; the old keys are one flag a mode. No flag set means mean. */
static int read_pooling_modes(struct model_folder *model, const char *file, const cJSON *config, struct reason *why)
{
    const cJSON *modes = member(config, "pooling_mode"), *mode;
    if (modes && !cJSON_IsArray(modes))
        return add_pooling(model, file, modes, why);
    if (modes) {
        cJSON_ArrayForEach(mode, modes)
            if (add_pooling(model, file, mode, why) < 0)
                return -1;
        return model->poolings ? 0 : fail(why, "%s: pooling_mode is an empty list", file);
    }
    for (int i = 0; i < POOLING_MODES; i++) {
        int set;
        if (get_flag(config, file, poolings[i].old_key, 0, &set, why) < 0)
            return -1;
        if (set)
            model->pooling[model->poolings++] = (enum pooling)i;
    }
    if (!model->poolings)
        model->pooling[model->poolings++] = POOLING_MEAN;
    return 0;
}

static int read_pooling(struct model_folder *model, const char *folder, const char *module, struct reason *why)
{
    char file[300];
    snprintf(file, sizeof file, "%.250s/config.json", module);
    cJSON *config = read_json(folder, file, cJSON_Object, why);
    if (!config)
        return -1;
    int result = read_pooling_modes(model, file, config, why);
    cJSON_Delete(config);
    return result;
}

/* A path inside the folder. */
static int module_path(const cJSON *entry, const char **path, struct reason *why)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(entry, "path");
    if (!cJSON_IsString(value) || value->valuestring[0] == '/' || strstr(value->valuestring, "..") || strlen(value->valuestring) > 250)
        return fail(why, "modules.json: a module's path is not one inside the folder");
    *path = value->valuestring;
    return 0;
}

enum module { MODULE_TRANSFORMER, MODULE_POOLING, MODULE_NORMALIZE };

static int read_module(const cJSON *entry, int position, const char *folder, struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    static const char *const names[] = {"Transformer", "Pooling", "Normalize"};
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(entry, "type");
    const char *path = NULL;
    if (!cJSON_IsString(type))
        return fail(why, "modules.json: a module without a type");
    const char *dot = strrchr(type->valuestring, '.');
    const char *name = dot ? dot + 1 : type->valuestring;
    if (position > MODULE_NORMALIZE || strcmp(name, names[position]) != 0)
        return fail(why, "modules.json: module %d is %s; known are Transformer, Pooling and, not always, Normalize, in this order", position, name);
    if (module_path(entry, &path, why) < 0)
        return -1;
    if (position == MODULE_TRANSFORMER)
        return *path ? model_file(folder, path, paths->transformer, why) : 0;
    if (position == MODULE_POOLING)
        return read_pooling(model, folder, path, why);
    model->normalize = 1;
    return 0;
}

int model_read_modules(const char *folder, struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    if (snprintf(paths->transformer, MODEL_PATH, "%s", folder) >= MODEL_PATH)
        return fail(why, "the path is too long");
    if (!model_has_file(folder, "modules.json")) {
        model->pooling[model->poolings++] = POOLING_MEAN;
        return 0;
    }
    cJSON *modules = read_json(folder, "modules.json", cJSON_Array, why);
    if (!modules)
        return -1;
    paths->is_sentence_model = 1;
    int position = 0, result = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, modules)
        if ((result = read_module(entry, position++, folder, paths, model, why)) < 0)
            break;
    cJSON_Delete(modules);
    if (result == 0 && position <= MODULE_POOLING)
        return fail(why, "modules.json: there is no %s", position ? "Pooling" : "Transformer");
    return result;
}

/* ---- config.json ---- */

static int read_architecture(const cJSON *config, struct model_folder *model, struct reason *why)
{
    const char *file = "config.json";
    int decoder;
    if (!cJSON_IsString(member(config, "model_type")))
        return fail(why, "config.json: no model_type");
    if (only_known(config, file, "model_type", "bert", why) < 0 || only_known(config, file, "hidden_act", "gelu", why) < 0 ||
        only_known(config, file, "position_embedding_type", "absolute", why) < 0 || get_flag(config, file, "is_decoder", 0, &decoder, why) < 0)
        return -1;
    if (decoder)
        return fail(why, "config.json: is_decoder is set; encoders are known");
    /* What is absent is as BERT has it (bert-base). */
    if (get_size(config, file, "hidden_size", 768, 16384, &model->hidden, why) < 0 ||
        get_size(config, file, "num_hidden_layers", 12, 1024, &model->layers, why) < 0 ||
        get_size(config, file, "num_attention_heads", 12, 1024, &model->heads, why) < 0 ||
        get_size(config, file, "intermediate_size", 3072, 131072, &model->intermediate, why) < 0 ||
        get_size(config, file, "vocab_size", 30522, 16777216, &model->vocabulary, why) < 0 ||
        get_size(config, file, "max_position_embeddings", 512, 1048576, &model->positions, why) < 0 ||
        get_size(config, file, "type_vocab_size", 2, 1024, &model->token_types, why) < 0)
        return -1;
    if (model->hidden % model->heads)
        return fail(why, "config.json: hidden_size %zu is no multiple of num_attention_heads %zu", model->hidden, model->heads);
    const cJSON *epsilon = member(config, "layer_norm_eps");
    if (epsilon && (!cJSON_IsNumber(epsilon) || !(epsilon->valuedouble >= 0 && epsilon->valuedouble < 1)))
        return fail(why, "config.json: layer_norm_eps is not a number from 0 to 1");
    model->epsilon = epsilon ? (float)epsilon->valuedouble : 1e-12f;
    return 0;
}

int model_read_config(const struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    cJSON *config = read_json(paths->transformer, "config.json", cJSON_Object, why);
    if (!config)
        return -1;
    int result = read_architecture(config, model, why);
    cJSON_Delete(config);
    return result;
}

/* ---- the tokenizer ---- */

static int copy_token(struct added_token *token, const char *file, const cJSON *value, struct reason *why)
{
    const cJSON *text = cJSON_IsObject(value) ? cJSON_GetObjectItemCaseSensitive(value, "content") : value;
    if (!cJSON_IsString(text) || !*text->valuestring || strlen(text->valuestring) >= sizeof token->text)
        return fail(why, "%s: a special token is not a string of 1 to %zu bytes", file, sizeof token->text - 1);
    strcpy(token->text, text->valuestring);
    return 0;
}

static int add_token(struct wordpiece_settings *settings, const char *file, const struct added_token *token, struct reason *why)
{
    for (size_t i = 0; i < settings->added_count; i++)
        if (strcmp(settings->added[i].text, token->text) == 0)
            return 0;
    if (settings->added_count == WORDPIECE_ADDED)
        return fail(why, "%s: more than %d added tokens", file, WORDPIECE_ADDED);
    settings->added[settings->added_count++] = *token;
    return 0;
}

/* Added tokens take part as plain strings in the raw text; a way of matching that is not plain is refused. */
static int read_added_tokens(struct wordpiece_settings *settings, const char *file, const cJSON *config, struct reason *why)
{
    static const char *const special_ways[] = {"lstrip", "rstrip", "single_word", "normalized"};
    const cJSON *entry, *added = member(config, "added_tokens_decoder");
    cJSON_ArrayForEach(entry, added) {
        struct added_token token;
        if (copy_token(&token, file, entry, why) < 0 || add_token(settings, file, &token, why) < 0)
            return -1;
        for (size_t i = 0; i < sizeof special_ways / sizeof *special_ways; i++)
            if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, special_ways[i])))
                return fail(why, "%s: added token %s: %s is not known", file, token.text, special_ways[i]);
    }
    return 0;
}

static int read_special_tokens(struct wordpiece_settings *settings, const char *file, const cJSON *config, struct reason *why)
{
    const struct { const char *key, *otherwise; struct added_token *into; } tokens[] = {
        {"unk_token", "[UNK]", &settings->unknown}, {"cls_token", "[CLS]", &settings->first}, {"sep_token", "[SEP]", &settings->last},
        {"pad_token", "[PAD]", NULL},               {"mask_token", "[MASK]", NULL},
    };
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        const cJSON *value = member(config, tokens[i].key);
        struct added_token token;
        strcpy(token.text, tokens[i].otherwise);
        if ((value && copy_token(&token, file, value, why) < 0) || add_token(settings, file, &token, why) < 0)
            return -1;
        if (tokens[i].into)
            *tokens[i].into = token;
    }
    return read_added_tokens(settings, file, config, why);
}

static int read_tokenizer(const cJSON *config, struct model_folder *model, double *limit, struct reason *why)
{
    const char *file = "tokenizer_config.json";
    struct wordpiece_settings *settings = &model->tokenizer;
    const cJSON *class = member(config, "tokenizer_class"), *length = member(config, "model_max_length");
    if (class && (!cJSON_IsString(class) || (strcmp(class->valuestring, "BertTokenizer") != 0 && strcmp(class->valuestring, "BertTokenizerFast") != 0)))
        return fail(why, "%s: tokenizer_class %s is not known; BertTokenizer is", file, cJSON_IsString(class) ? class->valuestring : "(not a string)");
    if (get_flag(config, file, "do_lower_case", 1, &settings->lower_case, why) < 0 ||
        get_flag(config, file, "strip_accents", settings->lower_case, &settings->strip_accents, why) < 0 ||
        get_flag(config, file, "tokenize_chinese_chars", 1, &settings->split_chinese, why) < 0)
        return -1;
    if (length && (!cJSON_IsNumber(length) || !(length->valuedouble >= 1)))
        return fail(why, "%s: model_max_length is not a number from 1", file);
    if (length)
        *limit = length->valuedouble;
    return read_special_tokens(settings, file, config, why);
}

/* What sentence-transformers itself was told. Its token limit replaces the tokenizer's. */
static int read_sentence_config(const struct model_paths *paths, struct model_folder *model, double *limit, struct reason *why)
{
    const char *file = "sentence_bert_config.json";
    if (!paths->is_sentence_model || !model_has_file(paths->transformer, file))
        return 0;
    cJSON *config = read_json(paths->transformer, file, cJSON_Object, why);
    if (!config)
        return -1;
    size_t tokens;
    int lower_case, result = -1;
    if (get_size(config, file, "max_seq_length", 0, 1048576, &tokens, why) == 0 && get_flag(config, file, "do_lower_case", 0, &lower_case, why) == 0) {
        if (lower_case && !model->tokenizer.lower_case)
            fail(why, "%s: do_lower_case with a tokenizer that keeps upper case is not known", file);
        else
            result = 0;
        if (tokens)
            *limit = (double)tokens;
    }
    cJSON_Delete(config);
    return result;
}

int model_read_tokenizer(const struct model_paths *paths, struct model_folder *model, struct reason *why)
{
    double limit = (double)model->positions;
    const char *file = "tokenizer_config.json";
    fail(why, "out of memory");
    cJSON *config = model_has_file(paths->transformer, file) ? read_json(paths->transformer, file, cJSON_Object, why) : cJSON_CreateObject();
    if (!config)
        return -1;
    int result = read_tokenizer(config, model, &limit, why);
    cJSON_Delete(config);
    if (result < 0 || read_sentence_config(paths, model, &limit, why) < 0)
        return -1;
    if (limit < 3)
        return fail(why, "a text may have %g tokens; 3 are the least", limit);
    model->max_tokens = limit < (double)model->positions ? (size_t)limit : model->positions;
    return 0;
}
